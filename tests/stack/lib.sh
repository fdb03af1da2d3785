# shellcheck shell=bash
# Functions of the stack's scripts: folders, locks, packages, daemons, waiting. Sourced, never run.

# Other locales change the decimal separator of $EPOCHREALTIME and the tools' messages.
export LC_ALL=C

stack_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache_dir=${XDG_CACHE_HOME:-$HOME/.cache}/kafka-influx-bridge # built programs: kept
run_dir=$cache_dir/run                                        # data, logs, pid files: removed by `down`
all_servers=(kafka kafka3 influx2 influx1 victoria victoria2 questdb registry)

# shellcheck source=tests/stack/settings.sh
. "$stack_dir/settings.sh"

mkdir -p "$cache_dir/lock" "$cache_dir/log"

fail() {
    echo "$*" >&2
    exit 1
}

# check_servers NAME...: fails for names that are no server.
check_servers() {
    local name
    for name in "$@"; do
        [[ " ${all_servers[*]} " == *" $name "* ]] || fail "no server is called $name; there are: ${all_servers[*]}"
    done
}

# processes_of SERVER: prints the names of its processes. Pid files, logs and data folders have the same names.
processes_of() {
    case $1 in
    kafka3) echo kafka3-1 kafka3-2 kafka3-3 ;;
    influx1) echo influx1 influx1-auth ;;
    *) echo "$1" ;;
    esac
}

# lock NAME: waits until no other script holds NAME, then holds it until this script ends. Two test binaries may call `up`
# at the same time; the second must find the work done, not do it again. `daemon` closes descriptor 9, or the lock would never end.
lock() {
    exec 9>"$cache_dir/lock/$1"
    flock 9
}

# step WHAT LOG COMMAND...: runs COMMAND with its output in LOG; when it fails, says what failed and where to read why.
step() {
    local what=$1 log=$2
    shift 2
    if ! "$@" >"$log" 2>&1; then
        echo "cannot $what; the last lines of $log:" >&2
        tail -n 8 "$log" | sed 's/^/    /' >&2
        exit 1
    fi
}

need_command() {
    command -v "$1" >/dev/null || fail "$1 is not installed; it is needed to $2"
}

# need_package COMMAND PACKAGE: installs a Debian package unless its command is there.
need_package() {
    if [ -x "/usr/bin/$1" ]; then return; fi
    (
        flock 8 # a second dpkg fails instead of waiting
        if [ -x "/usr/bin/$1" ]; then exit; fi
        step "install the package $2" "$cache_dir/log/package-$2.log" "$stack_dir/install-package" "$2"
    ) 8>"$cache_dir/lock/packages"
}

# render TEMPLATE TARGET NAME=VALUE...: copies TEMPLATE, replacing every @NAME@.
render() {
    local template=$1 target=$2 pair
    local -a edits=()
    shift 2
    for pair in "$@"; do edits+=(-e "s|@${pair%%=*}@|${pair#*=}|g"); done
    sed "${edits[@]}" "$template" >"$target"
}

# http URL CURL-OPTION...: the body on standard output; fails with the server's words when it answers an error.
# A proxy of the environment must not see requests to 127.0.0.1.
http() {
    local url=$1
    shift
    curl --silent --show-error --fail-with-body --noproxy '*' --max-time 10 "$@" "$url"
}

answers() {
    http "$1" --output /dev/null 2>/dev/null
}

# running NAME: succeeds if the process of NAME's pid file lives. Another program may have got the number since, so the command line
# must contain the server's folder.
running() {
    local pid
    pid=$(cat "$run_dir/$1.pid" 2>/dev/null) && grep -qaF -- "$run_dir/$1/" "/proc/$pid/cmdline" 2>/dev/null
}

# is_up NAME: succeeds if NAME runs and its start was completed. Resumes a process that a test has paused.
is_up() {
    running "$1" && [ -e "$run_dir/$1/ready" ] && kill -CONT "$(cat "$run_dir/$1.pid")"
}

mark_ready() {
    touch "$run_dir/$1/ready"
}

# make_folder NAME: creates the empty folder of a server before its start. BRIDGE_STACK_KEEP=1 keeps the data of a server that was
# complete, for tests of restarts.
make_folder() {
    if [ "${BRIDGE_STACK_KEEP:-0}" = 1 ] && [ -e "$run_dir/$1/ready" ]; then
        rm "$run_dir/$1/ready"
        return
    fi
    rm -rf "${run_dir:?}/$1"
    mkdir -p "$run_dir/$1"
}

# need_free_port PORT VARIABLE: fails if another server uses the port, because tests would write to it. A killed process keeps its
# port for a moment after it has vanished from /proc.
need_free_port() {
    local deadline=$((SECONDS + 5))
    while (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        ((SECONDS < deadline)) || fail "port $1 is taken by a program that is not of this stack; choose another one with $2"
        sleep 0.1
    done
}

# daemon NAME COMMAND...: starts COMMAND in its own session, so that it outlives this script and its terminal, with its output
# in NAME.log. Inherited descriptors are closed, because a lock of the caller would last as long as the server. The pid file is written
# by the process itself before it becomes COMMAND.
daemon() {
    local name=$1 tries=500
    shift
    rm -f "$run_dir/$name.pid"
    (
        cd "$run_dir/$name" || exit
        # shellcheck disable=SC2016  # expanded by the inner shell
        setsid nohup bash -c 'echo $$ >"$0"; exec "$@"' "$run_dir/$name.pid" "$@" \
            </dev/null >>"$run_dir/$name.log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    )
    until [ -s "$run_dir/$name.pid" ]; do
        ((tries-- > 0)) || fail "$name: cannot write $run_dir/$name.pid"
        sleep 0.01
    done
}

# wait_for NAME SECONDS COMMAND...: waits until COMMAND succeeds; fails when the time is over or the server has died.
wait_for() {
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@"; do
        if ! running "$name"; then
            echo "$name: died while starting; the last lines of $run_dir/$name.log:" >&2
            tail -n 8 "$run_dir/$name.log" | sed 's/^/    /' >&2
            exit 1
        fi
        ((SECONDS < deadline)) || fail "$name: does not answer; its log: $run_dir/$name.log"
        sleep 0.1
    done
}

# stop NAME: sends TERM, then KILL after 10 s. A paused process is resumed, because it would not receive TERM.
stop() {
    local pid deadline=$((SECONDS + 10))
    if running "$1"; then
        pid=$(cat "$run_dir/$1.pid")
        kill -TERM "$pid" 2>/dev/null || true
        kill -CONT "$pid" 2>/dev/null || true
        while running "$1"; do
            if ((SECONDS >= deadline)); then kill -KILL "$pid" 2>/dev/null || true; fi
            sleep 0.05
        done
    fi
    rm -f "$run_dir/$1.pid"
}

# report NAME ADDRESS already|started: prints the line of `up` about one server.
begin_us=${EPOCHREALTIME/./}
report() {
    local tenths=$(((${EPOCHREALTIME/./} - begin_us) / 100000)) verb='started in'
    if [ "$3" = already ]; then verb='was up, checked in'; fi
    printf '%-13s %-48s %s %d.%d s\n' "$1" "$2" "$verb" $((tenths / 10)) $((tenths % 10))
}
