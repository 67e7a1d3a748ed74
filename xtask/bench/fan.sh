# Runs @SCRIPT@ on every target at the same time, each over an ssh of its own: what a shell gives for nothing.
# Each line of the file targets is ADDRESS PORT. Ends with status 1 when one of them did not end well.
cd "$(dirname "$0")" || exit
while read -r address port; do
  ssh -F /dev/null -i @KEY@ -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=@TIMEOUT@ -p "$port" "ubuntu@$address" \
    sudo sh <@SCRIPT@ >"out/$address" 2>"out/$address.err" &
  pids="$pids $!"
done <targets
status=0
for pid in $pids; do wait "$pid" || status=1; done
exit $status
