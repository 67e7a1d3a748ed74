# Run inside the fresh base, as root, with sh: what every host of the fleet has in common.
# Before it: KEY (the public key all users accept), PASSWORD (of pwuser) and KERNEL (uname -r) are set.
set -eu
export DEBIAN_FRONTEND=noninteractive

# Each host makes its own at its first boot.
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id

# Nothing may run apt behind a test's back, and a container has no devices to find.
systemctl mask -q apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer \
    systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
    console-getty.service getty@.service systemd-firstboot.service

mkdir -p /etc/systemd/journald.conf.d /etc/systemd/system.conf.d
printf '[Journal]\nStorage=volatile\n' > /etc/systemd/journald.conf.d/testbed.conf
# A unit that does not stop is to fail a test in seconds.
printf '[Manager]\nDefaultTimeoutStopSec=15s\n' > /etc/systemd/system.conf.d/testbed.conf

# Containers inside a host need the cgroup trees writable.
mkdir -p /usr/lib/systemd/system/docker.service.d
cat > /usr/lib/systemd/system/docker.service.d/testbed.conf <<'EOF'
[Service]
ExecStartPre=/bin/sh -c 'for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,rw,bind "$tree" 2>/dev/null; done; true'
EOF

# The kernel has no loadable modules; this is how one looks that has these two built in.
modules=/lib/modules/$KERNEL
mkdir -p "$modules"
printf 'kernel/fs/overlayfs/overlay.ko\nkernel/net/bridge/br_netfilter.ko\n' > "$modules/modules.builtin"
: > "$modules/modules.order"
: > "$modules/modules.builtin.modinfo"
depmod "$KERNEL"

cat > /etc/ssh/sshd_config.d/testbed.conf <<'EOF'
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
Match User pwuser
    PasswordAuthentication yes
Match User noisyuser
    Banner /etc/ssh/banner-noisyuser
EOF
printf '*** Authorised use only. ***\nThis text precedes every login: 100%% noise, $HOME, `date`, "quotes".\n' > /etc/ssh/banner-noisyuser

# busyuser lives among busybox applets, also behind sudo.
mkdir -p /opt/busybox/bin
/bin/busybox --install -s /opt/busybox/bin
cat > /usr/local/bin/busybox-sh <<'EOF'
#!/bin/sh
PATH=/opt/busybox/bin:/usr/local/bin:/usr/bin:/bin
export PATH
exec /opt/busybox/bin/sh "$@"
EOF
chmod 0755 /usr/local/bin/busybox-sh
echo /usr/local/bin/busybox-sh >> /etc/shells

add_user() {
    useradd --create-home --uid "$2" --user-group --shell "$3" "$1"
    install -d -m 0700 -o "$1" -g "$1" "/home/$1/.ssh"
    printf '%s\n' "$KEY" > "/home/$1/.ssh/authorized_keys"
    chown "$1:$1" "/home/$1/.ssh/authorized_keys"
    chmod 0600 "/home/$1/.ssh/authorized_keys"
}
add_user ubuntu 1000 /bin/bash
add_user pwuser 1001 /bin/bash
add_user fishuser 1002 /usr/bin/fish
add_user noisyuser 1003 /bin/bash
add_user busyuser 1004 /usr/local/bin/busybox-sh
add_user nosudo 1005 /bin/bash
printf 'pwuser:%s\n' "$PASSWORD" | chpasswd

cat > /etc/sudoers.d/testbed <<'EOF'
ubuntu    ALL=(ALL:ALL) NOPASSWD: ALL
fishuser  ALL=(ALL:ALL) NOPASSWD: ALL
noisyuser ALL=(ALL:ALL) NOPASSWD: ALL
busyuser  ALL=(ALL:ALL) NOPASSWD: ALL
pwuser    ALL=(ALL:ALL) ALL
Defaults:busyuser secure_path="/opt/busybox/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EOF
chmod 0440 /etc/sudoers.d/testbed
visudo -cqf /etc/sudoers.d/testbed

# Debian's bash reads .bashrc for commands that come over ssh too. Put before the stock lines, which return early.
{
    cat <<'EOF'
echo "Welcome to $(hostname)! Last login: never"
echo "stderr noise from .bashrc" >&2
printf 'binary junk: \000\001\002\377\376\033[31m red \033[0m\r\n'
i=0
while [ $i -lt 200 ]; do echo "line $i of a very chatty profile ----------------------------------------"; i=$((i+1)); done
printf 'no newline at the end'
EOF
    cat /etc/skel/.bashrc
} > /home/noisyuser/.bashrc
chown noisyuser:noisyuser /home/noisyuser/.bashrc

if [ -n "$(ls /usr/local/share/ca-certificates)" ]; then
    update-ca-certificates > /dev/null
fi

# What the deployment node alone has installed; kept here so that a reset of it downloads nothing.
apt-get -qq update
apt-get -qq -y --no-install-recommends --download-only install kubernetes-client jq
install -d /var/cache/deployment
mv /var/cache/apt/archives/*.deb /var/cache/deployment/

# As on a fresh machine: no package index, no downloaded packages.
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
apt-get clean
