# Runs @SCRIPT@ on every target, each over an ssh of its own, 64 of them at a time: what a shell gives for nothing. More would only
# wait for each other, and a thousand at once stop the machine for minutes.
# Each line of the file targets is ADDRESS PORT. Ends with status 1 when one of them did not end well.
cd "$(dirname "$0")" || exit
# xargs itself would stop at ssh's own status, 255.
xargs -P 64 -n 2 sh -c '
  ssh -F /dev/null -i @KEY@ -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=@TIMEOUT@ -p "$2" "ubuntu@$1" \
    sudo sh <@SCRIPT@ >"out/$1" 2>"out/$1.err" || exit 1
' fan <targets || exit 1
