# Prepares a node of a Kubernetes cluster: asks for all of it, changes what differs, and ends with changed=N.
# The same questions, commands and order as the role rke-node. Marks are filled in by the benchmark.
set -u
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
changed=0
restart=
did() { echo "changed: $1"; changed=$((changed + 1)); }
fail() { echo "failed: $1" >&2; exit 1; }
write() { # path mode; content on standard input
  candidate=$(mktemp "$1.XXXXXX") && cat >"$candidate" && chmod "$2" "$candidate" && mv -f "$candidate" "$1" || fail "$1"
}
apt() { apt-get -y -q -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 -o APT::Color=0 "$@" </dev/null >&2; }

# A machine that can become a node
. /etc/os-release
case " $ID ${ID_LIKE-} " in *" debian "* | *" ubuntu "*) ;; *) fail "$ID is not of the Debian family" ;; esac
[ -x /usr/bin/apt-get ] || fail "no apt-get"
read -r init </proc/1/comm
[ "$init" = systemd ] || fail "process 1 is $init"
read -r machine </etc/machine-id
read -r boot </proc/sys/kernel/random/boot_id
while read -r key value _; do [ "$key" = MemTotal: ] && memory=$((value / 1024)) && break; done </proc/meminfo
echo "$ID $VERSION_ID, $(uname -m -r -n), $(nproc) processors, $memory MiB, $machine, $boot, $(systemd-detect-virt)"
ip -4 -o addr
ip -4 route show default

# No other Docker
packages=$(dpkg-query -W -f='${Package}=${db:Status-Status}\n' -- @REQUIRED@ docker-ce docker.io docker-engine podman-docker 2>/dev/null)
[ ! -e /snap/docker ] || fail "Docker is there as a snap"
has() { case "
$packages
" in *"
$1=installed
"*) ;; *) return 1 ;; esac; }
for name in docker-ce docker-engine podman-docker; do ! has $name || fail "$name is there"; done

# Kernel modules, now and after each boot
for module in @MODULES@; do
  grep -qs "^$module " /proc/modules || grep -qs "/$module\.ko" "/lib/modules/$(uname -r)/modules.builtin" ||
    [ -d "/sys/module/$module" ] || { modprobe "$module" && did "module $module"; }
  grep -qx "$module" /etc/modules || { echo "$module" >>/etc/modules && did "$module in /etc/modules"; }
done

# Limits of sessions
begin='# BEGIN ANSIBLE MANAGED BLOCK - SYSTEM LIMITS'
end='# END ANSIBLE MANAGED BLOCK - SYSTEM LIMITS'
block="$begin
@LIMITS@
$end"
if [ "$(sed -n "/^$begin\$/,/^$end\$/p" /etc/security/limits.conf)" != "$block" ]; then
  { sed "/^$begin\$/,/^$end\$/d" /etc/security/limits.conf; printf '%s\n' "$block"; } | write /etc/security/limits.conf 644
  did 'limits'
fi

# Kernel settings, now and after each boot
wanted='@SYSCTL@'
file=/etc/sysctl.d/99-kubernetes.conf
set -- @SYSCTL_PATHS@
now=$(grep -s '' "$@" | sed 's,^/proc/sys/,,; s,/,.,g; s,:, = ,' | tr '\t' ' ')
if [ "$now" != "$wanted" ]; then
  printf '%s\n' "$wanted" | sysctl -q -p - || fail 'kernel settings'
  did 'kernel settings in force'
fi
if [ ! -f $file ] || [ "$(sed 's/ *= */ = /' $file)" != "$wanted" ]; then
  printf '%s\n' "$wanted" | write $file 644
  did $file
fi

# No swap
swaps=$(tail -n +2 /proc/swaps)
[ -z "$swaps" ] || { swapoff -a && did 'swap off'; }
if grep -Eqs '^[^#]\S*\s+\S+\s+swap\s' /etc/fstab; then
  sed -E 's/^([^#]\S*\s+\S+\s+swap\s)/# \1/' /etc/fstab | write /etc/fstab 644
  did 'swap in /etc/fstab'
fi

# Packages
missing=
for name in @REQUIRED@; do has "$name" || missing="$missing $name"; done
docker=
has docker.io || docker=docker.io
if [ -n "$missing$docker" ] && [ -z "$(find /var/lib/apt/lists -maxdepth 0 -mmin -60)" ]; then
  apt update && did 'package index'
fi
[ -z "$missing" ] || { apt install -- $missing && did "packages$missing" || fail "packages$missing"; }
[ -z "$docker" ] || { apt install -- docker.io && did docker.io || fail docker.io; }

# Docker's group, user, configuration and services
group=$(getent group docker) || { groupadd --system docker && did 'group docker'; }
case " $(id -nG ubuntu) " in *' docker '*) ;; *) usermod -aG docker ubuntu && did 'user ubuntu' ;; esac
[ "$(stat -c '%a %U:%G' /etc/docker 2>/dev/null)" = '755 root:root' ] || { install -d -m 755 -o root -g root /etc/docker && did /etc/docker; }
daemon='@DAEMON@'
if [ ! -f /etc/docker/daemon.json ] || [ "$(cat /etc/docker/daemon.json)" != "$daemon" ] ||
  [ "$(stat -c '%a %U:%G' /etc/docker/daemon.json)" != '644 root:root' ]; then
  printf '%s\n' "$daemon" | write /etc/docker/daemon.json 644
  did /etc/docker/daemon.json
  restart=yes
fi
units=$(systemctl show -p ActiveState,UnitFileState containerd docker)
[ "$units" = 'ActiveState=active
UnitFileState=enabled

ActiveState=active
UnitFileState=enabled' ] || { systemctl enable --now containerd docker && did 'containerd and docker'; }
answers() { timeout 20 docker version --format '{{.Server.Version}}' || fail 'Docker does not answer'; }
answers
if [ -n "$restart" ]; then
  systemctl restart docker || fail 'docker does not start'
  did 'docker restarted'
  answers
fi
echo "changed=$changed"
