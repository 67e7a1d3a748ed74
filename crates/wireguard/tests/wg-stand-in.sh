#!/bin/sh
# A stand-in for `wg`: keys that hash to each other, and a tunnel that is a file with a line for each peer: key, preshared
# key, allowed addresses. The tunnel is up while that file is there. With a file `warns` it makes a remark, as `docker exec`
# does, and goes on.
tunnel=$WG_STAND_IN/tunnel
case "$1 $2" in
"genkey " | "genpsk ") head -c 32 /dev/urandom | base64 ;;
"pubkey ")
	read -r key
	[ ${#key} = 44 ] || { echo "wg: Key is not the correct length or format: \`$key'" >&2; exit 1; }
	printf '%s' "$key" | sha256sum | cut -c1-32 | tr -d '\n' | base64
	;;
"show wg0")
	[ ! -e "$WG_STAND_IN/warns" ] || echo 'WARNING: Error loading config file: permission denied' >&2
	[ -f "$tunnel" ] || { echo 'Unable to access interface: No such device' >&2; exit 1; }
	[ "$3" = dump ] || exit 0
	printf 'cHJpdmF0ZSBrZXkgb2YgdGhlIHNlcnZlciwgc2VjcmV0ISE=\tc2VydmVyIHB1YmxpYyBrZXksIG5vIHJlYWwgb25lISEhISE=\t51820\toff\n'
	while read -r key preshared allowed; do
		printf '%s\t%s\t(none)\t%s\t0\t0\t0\toff\n' "$key" "$preshared" "$allowed"
	done <"$tunnel"
	;;
"set wg0")
	[ "$3" = peer ] || exit 2
	key=$4
	[ ${#key} = 44 ] || exit 2
	grep -v "^$key " "$tunnel" >"$tunnel.new"
	shift 4
	preshared='(none)'
	while [ $# -gt 0 ]; do
		case $1 in
		remove) mv "$tunnel.new" "$tunnel"; exit ;;
		preshared-key) read -r preshared <"$2"; shift 2 ;;
		allowed-ips) allowed=$2; shift 2 ;;
		*) exit 2 ;;
		esac
	done
	echo "$key $preshared $allowed" >>"$tunnel.new"
	mv "$tunnel.new" "$tunnel"
	;;
*) exit 2 ;;
esac
