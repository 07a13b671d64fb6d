# How the steps tell what they do, and what to do when one fails.
# shellcheck shell=bash

STEP=start HINT='' LOG=/dev/null

say() { printf '%s  %s\n' "$(date +%T)" "$*" >&2; }

# step NAME HINT: what follows belongs to this step, logs into $LOG, and fails with the hint.
step() {
  local name=${1//[^a-zA-Z0-9.]/-}
  # A file's name has 255 bytes at most, and a step may name many images.
  STEP=$1 HINT=$2 LOG=$LAB_HOME/log/${name:0:200}.log
  say "$STEP"
  : >"$LOG"
}

explain() { # what the last lines of the failed step's log were, and what helps
  local code=$?
  ((code)) || return 0
  [ -s "$LOG" ] && tail -n 25 "$LOG" >&2
  say "FAILED: $STEP. ${HINT:-Read the lines above.}${LOG:+ Whole log: $LOG}"
}
trap explain EXIT

BACKGROUND=''
in_background() {
  (trap explain EXIT; "$@") &
  BACKGROUND=$!
}
wait_for_background() { wait "$BACKGROUND"; }
