#!/bin/busybox sh
# The first process of the STAND-IN for the image linuxserver/wireguard, which the testbed cannot download. It honours the
# part of that image's contract that is documented for server mode: PEERS (a count, or names with commas between), PUID,
# PGID, TZ, SERVERURL, SERVERPORT, PEERDNS, INTERNAL_SUBNET and ALLOWEDIPS; /config/peerN/peerN.conf for a number and
# /config/peer_NAME/peer_NAME.conf for a name, each with its keys and a picture; keys that are there stay; all files are
# made again when one of those variables changed. The tunnel is a real one, by wireguard-go.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
config=/config
server_conf=$config/wg_confs/wg0.conf
saved=$config/.donoteditthisfile

url=${SERVERURL:-auto}
# The image asks a service on the internet; here there is none.
[ "$url" != auto ] || url=192.0.2.1
port=${SERVERPORT:-51820}
subnet=${INTERNAL_SUBNET:-10.13.13.0}
prefix=${subnet%.*}
dns=${PEERDNS:-auto}
[ "$dns" != auto ] || dns=$prefix.1
allowed=${ALLOWEDIPS:-0.0.0.0/0, ::/0}
[ -n "${PEERS:-}" ] || { echo "the stand-in has server mode only: set PEERS" >&2; exit 1; }

peer_ids() {
    case $PEERS in
    *[!0-9]*) list=$(echo "$PEERS" | tr , ' ') ;;
    *) list=$(seq 1 "$PEERS") ;;
    esac
    for one in $list; do
        case $one in
        *[!0-9A-Za-z]*) echo "peer $one has other characters than letters and digits and is left out" >&2 ;;
        *[!0-9]*) echo "peer_$one" ;;
        *) echo "peer$one" ;;
        esac
    done
}

free_address() {
    last=2
    while grep -qs "^Address = $prefix\.$last\$" $config/peer*/*.conf; do
        last=$((last + 1))
    done
    echo "$prefix.$last"
}

make() {
    umask 077
    mkdir -p $config/server $config/wg_confs
    [ -s $config/server/privatekey-server ] || wg genkey > $config/server/privatekey-server
    wg pubkey < $config/server/privatekey-server > $config/server/publickey-server
    {
        echo "[Interface]"
        echo "Address = $prefix.1"
        echo "ListenPort = 51820"
        echo "PrivateKey = $(cat $config/server/privatekey-server)"
        echo "PostUp = iptables -A FORWARD -i %i -j ACCEPT; iptables -A FORWARD -o %i -j ACCEPT; iptables -t nat -A POSTROUTING -o eth+ -j MASQUERADE"
        echo "PostDown = iptables -D FORWARD -i %i -j ACCEPT; iptables -D FORWARD -o %i -j ACCEPT; iptables -t nat -D POSTROUTING -o eth+ -j MASQUERADE"
    } > $server_conf
    for id in $(peer_ids); do
        folder=$config/$id
        mkdir -p "$folder"
        if [ ! -s "$folder/privatekey-$id" ]; then
            wg genkey > "$folder/privatekey-$id"
            wg genpsk > "$folder/presharedkey-$id"
        fi
        wg pubkey < "$folder/privatekey-$id" > "$folder/publickey-$id"
        if [ -s "$folder/$id.conf" ]; then
            address=$(sed -n 's/^Address = //p' "$folder/$id.conf")
        else
            address=$(free_address)
        fi
        cat > "$folder/$id.conf" <<PEER
[Interface]
Address = $address
PrivateKey = $(cat "$folder/privatekey-$id")
ListenPort = 51820
DNS = $dns

[Peer]
PublicKey = $(cat $config/server/publickey-server)
PresharedKey = $(cat "$folder/presharedkey-$id")
Endpoint = $url:$port
AllowedIPs = $allowed
PEER
        qrencode -o "$folder/$id.png" < "$folder/$id.conf"
        cat >> $server_conf <<PEER

[Peer]
# $id
PublicKey = $(cat "$folder/publickey-$id")
PresharedKey = $(cat "$folder/presharedkey-$id")
AllowedIPs = $address/32
PEER
    done
}

now="url=$url port=$port dns=$dns peers=$PEERS subnet=$subnet allowed=$allowed"
if [ ! -s $server_conf ] || [ "$(cat $saved 2>/dev/null)" != "$now" ]; then
    make
    echo "$now" > $saved
    echo "made the files of one server and of peers $PEERS"
fi
chown -R "${PUID:-911}:${PGID:-911}" $config

# The tunnel: what wg-quick would do of it.
mkdir -p /dev/net
[ -c /dev/net/tun ] || mknod /dev/net/tun c 10 200
WG_PROCESS_FOREGROUND=1 wireguard-go -f wg0 &
tunnel=$!
while [ ! -S /var/run/wireguard/wg0.sock ]; do
    kill -0 $tunnel
    sleep 0.1
done
grep -v -e ^Address -e ^PostUp -e ^PostDown $server_conf > /run/wg0.conf
wg setconf wg0 /run/wg0.conf
rm /run/wg0.conf
ip address add "$(sed -n 's/^Address = //p' $server_conf)/24" dev wg0
ip link set mtu 1420 up dev wg0
sed -n 's/^PostUp = //p' $server_conf | sed 's/%i/wg0/g' > /run/up
sh -e /run/up
echo "the tunnel is up"
trap 'kill $tunnel' TERM INT
wait $tunnel || :
