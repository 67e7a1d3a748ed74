# Makes the file system of the stand-in for the WireGuard image out of Debian packages. Before it: ARCHIVES (a folder of
# downloaded packages), ROOT (an empty folder), INIT (the text of the first process) are set.
set -eu
for name in libc6 busybox-static wireguard-tools wireguard-go iptables libip4tc2 libip6tc2 libxtables12 libmnl0 \
    libnfnetlink0 libnetfilter-conntrack3 libnftnl11 qrencode libqrencode4 libpng16-16 zlib1g; do
    set -- "$ARCHIVES/$name"_*.deb
    [ -f "$1" ] || { echo "no package $name in $ARCHIVES" >&2; exit 1; }
    dpkg-deb -x "$1" "$ROOT"
done
rm -rf "$ROOT/usr/share/doc" "$ROOT/usr/share/man" "$ROOT/usr/share/locale" "$ROOT/usr/lib/systemd" "$ROOT/lib/systemd"
for name in sh ls cat cp mv rm mkdir mknod chown chmod grep sed tr seq sleep echo ip ps kill env id stat tail head ping; do
    [ -e "$ROOT/bin/$name" ] || ln -s busybox "$ROOT/bin/$name"
done
# The links that dpkg's alternatives would make.
for name in iptables iptables-save iptables-restore; do
    ln -sf xtables-nft-multi "$ROOT/usr/sbin/$name"
done
mkdir -p "$ROOT/config" "$ROOT/run" "$ROOT/tmp" "$ROOT/proc" "$ROOT/sys" "$ROOT/dev" "$ROOT/etc" "$ROOT/var" "$ROOT/lib/modules"
ln -sfn /run "$ROOT/var/run"
printf 'root:x:0:0:root:/config:/bin/sh\n' > "$ROOT/etc/passwd"
printf 'root:x:0:\n' > "$ROOT/etc/group"
printf '%s' "$INIT" > "$ROOT/init"
chmod 0755 "$ROOT/init"
