#!/usr/bin/env bash
# A real Apache Kafka broker for the tests: one process (broker and controller), loopback only, all of it in DIR.
#
#   broker.sh fetch                                get the jars (once; every other command does it when needed)
#   broker.sh start DIR                            a new broker, or one on the data that DIR holds; returns when it answers
#   broker.sh topic DIR NAME PARTITIONS [K=V ...]  create a topic, with topic settings
#   broker.sh delete DIR NAME                      delete a topic
#   broker.sh forget DIR NAME PARTITION OFFSET     delete the records before OFFSET
#   broker.sh read DIR NAME PARTITION COUNT        print the values of its first COUNT records, a line each
#   broker.sh stop DIR                             SIGTERM, and SIGKILL after 20 s
#   broker.sh kill DIR                             SIGKILL
#   broker.sh restart DIR                          stop if it runs, then start on the same ports and data
#
# DIR then holds: pid, bootstrap (host:port), log (the broker's own), data/, server.properties.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
jars=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}/kafka-$version
start_seconds_max=60
stop_seconds_max=20
port_tries_max=5

die() {
	printf 'broker.sh: %s\n' "$*" >&2
	exit 1
}

usage() {
	sed -n 's/^#   /  /p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

need() { # command, what to do
	command -v "$1" >/dev/null || die "$1 is not on PATH: run deploy/packages.sh test"
}

have_jars() { # the very ones that this pom.xml asks for
	cmp -s "$here/pom.xml" "$jars/pom.xml"
}

fetch() {
	have_jars && return
	need mvn
	mkdir -p "$jars"
	(
		flock 9
		! have_jars || exit 0 # another fetch was first
		find "$jars" -name '*.jar' -delete
		if ! mvn --quiet --batch-mode --file "$here/pom.xml" dependency:copy-dependencies \
			-DincludeScope=runtime -DoutputDirectory="$jars" >"$jars/mvn.log" 2>&1; then
			grep -m 5 ERROR "$jars/mvn.log" >&2 || true
			die "Maven could not get Kafka $version (above): check that Maven Central can be reached, then run 'broker.sh fetch'"
		fi
		cp "$here/pom.xml" "$jars/pom.xml" # last: it says that all jars are there
	) 9>"$jars/lock"
}

kafka() { # class, arguments: run one of Kafka's own tools
	local class=$1
	shift
	java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		-Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$jars/*" "$class" "$@"
}

# Ports below the ephemeral range: a client that retries against a stopped broker could otherwise be given the broker's own
# port as its local one, connect to itself and hold it.
free_ports() {
	python3 - <<-'PYTHON'
		import random, socket
		found = []
		while len(found) < 2:
		    with socket.socket() as s:
		        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		        try:
		            s.bind(("127.0.0.1", random.randrange(15000, 30000)))
		        except OSError:
		            continue
		        if s.getsockname()[1] not in found:
		            found.append(s.getsockname()[1])
		print(*found)
	PYTHON
}

# Asks for the cluster's metadata and succeeds when the answer names a broker: it has then joined its own cluster.
answers() { # host:port
	python3 - "$1" <<-'PYTHON' 2>/dev/null
		import socket, struct, sys
		host, port = sys.argv[1].split(":")
		request = struct.pack(">hhih4si", 3, 1, 7, 4, b"test", 0)  # Metadata version 1, no topics
		with socket.create_connection((host, int(port)), 2) as s:
		    s.sendall(struct.pack(">i", len(request)) + request)
		    size, correlation, brokers = struct.unpack(">iii", s.recv(12, socket.MSG_WAITALL))
		sys.exit(correlation != 7 or brokers < 1)
	PYTHON
}

configure() { # broker port, controller port
	cat >"$dir/server.properties" <<-PROPERTIES
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$2
		listeners=BROKER://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
		advertised.listeners=BROKER://127.0.0.1:$1
		listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
		inter.broker.listener.name=BROKER
		controller.listener.names=CONTROLLER
		log.dirs=$dir/data

		auto.create.topics.enable=false
		group.initial.rebalance.delay.ms=0
		offsets.topic.num.partitions=1
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		share.coordinator.state.topic.num.partitions=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1

		# Test records are years old: by default they would be deleted, and a segment rolled for each week of them.
		log.retention.ms=-1
		log.roll.hours=87600

		# Compacted topics are looked at as soon as they may be, not every 15 s.
		log.cleaner.backoff.ms=250

		# Only a broker that comes back within its old session must wait for that session's end.
		broker.heartbeat.interval.ms=250
		broker.session.timeout.ms=1500
	PROPERTIES
	cat >"$dir/log4j2.properties" <<-'PROPERTIES'
		rootLogger.level = info
		rootLogger.appenderRef.out.ref = out
		appender.out.type = Console
		appender.out.name = out
		appender.out.layout.type = PatternLayout
		appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
	PROPERTIES
	printf '127.0.0.1:%s\n' "$1" >"$dir/bootstrap"
}

# A pid file outlives its process, and pids are used again: only a process that runs this DIR's configuration counts.
running() {
	[ -s "$dir/pid" ] && grep -qzxF "$dir/server.properties" "/proc/$(cat "$dir/pid")/cmdline" 2>/dev/null
}

await_gone() { # seconds
	local deadline=$((SECONDS + $1))
	while running; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

kill_now() {
	! running || kill -KILL "$(cat "$dir/pid")" 2>/dev/null || true
	await_gone 10 || die "process $(cat "$dir/pid") outlives SIGKILL: see 'ps $(cat "$dir/pid")'"
	rm -f "$dir/pid"
}

stop() {
	if running; then
		kill -TERM "$(cat "$dir/pid")" 2>/dev/null || true
		await_gone "$stop_seconds_max" || printf 'broker.sh: no end within %s s of SIGTERM: killed\n' "$stop_seconds_max" >&2
	fi
	kill_now
}

abandon() { # the broker just started
	kill -KILL $! 2>/dev/null || true
	wait $! 2>/dev/null || true
	rm -f "$dir/pid"
}

# Returns 0 when it answers, 1 when the process ended by itself; dies when it is only slow. Nothing is left behind but on 0.
launch() {
	trap abandon EXIT
	trap 'exit 130' INT TERM HUP
	setsid java -Xms512m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		-Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$jars/*" \
		kafka.Kafka "$dir/server.properties" </dev/null >"$dir/log" 2>&1 &
	local pid=$!
	echo "$pid" >"$dir/pid"
	local deadline=$((SECONDS + start_seconds_max))
	until answers "$(cat "$dir/bootstrap")"; do
		if ! kill -0 "$pid" 2>/dev/null; then
			rm -f "$dir/pid"
			trap - EXIT INT TERM HUP
			return 1
		fi
		[ "$SECONDS" -lt "$deadline" ] || die "no answer within $start_seconds_max s: see $dir/log"
		sleep 0.1
	done
	trap - EXIT INT TERM HUP
}

port_was_taken() {
	grep -q 'java.net.BindException: Address already in use' "$dir/log"
}

start_failed() {
	grep -m 5 -E 'ERROR|FATAL|Exception' "$dir/log" >&2 || tail -n 5 "$dir/log" >&2
	die "the broker ended before it answered (above): the whole log is $dir/log"
}

start_new() {
	for ((try = 0; try < port_tries_max; try++)); do
		# shellcheck disable=SC2046 # two words, two ports
		configure $(free_ports)
		if [ ! -f "$dir/data/meta.properties" ]; then
			local cluster
			cluster=$(python3 -c 'import base64, uuid; print(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22].replace("-", "A"))')
			kafka kafka.tools.StorageTool format --config "$dir/server.properties" --cluster-id "$cluster" >"$dir/log" 2>&1 ||
				die "Kafka could not format $dir/data: see $dir/log"
		fi
		launch && return
		port_was_taken || start_failed
	done
	die "$port_tries_max pairs of ports were all taken between choosing and binding: start again when the machine is quieter"
}

start_again() { # on the ports that server.properties has
	launch && return
	port_was_taken && die "port $(cat "$dir/bootstrap") or the controller's is taken by another process: 'start' chooses new ones"
	start_failed
}

start() {
	! running || die "a broker runs in $dir (process $(cat "$dir/pid")): stop it first, or give another directory"
	start_new
}

restart() {
	[ -f "$dir/server.properties" ] || die "$dir has no broker to restart: run 'broker.sh start $dir' first"
	stop
	start_again
}

topic() { # name, partitions, settings
	local name=$1 partitions=$2 settings=()
	shift 2
	running || die "no broker runs in $dir: run 'broker.sh start $dir' first"
	for setting in "$@"; do
		settings+=(--config "$setting")
	done
	kafka org.apache.kafka.tools.TopicCommand --bootstrap-server "$(cat "$dir/bootstrap")" --create \
		--topic "$name" --partitions "$partitions" --replication-factor 1 "${settings[@]}" >"$dir/topic.log" 2>&1 && return
	grep -m 1 '^Error' "$dir/topic.log" >&2 || tail -n 3 "$dir/topic.log" >&2
	die "topic $name was not created (above; all of it in $dir/topic.log)"
}

# Runs a tool, and says what it complained of.
tool() { # what it is for, class, arguments
	local purpose=$1
	shift
	running || die "no broker runs in $dir: run 'broker.sh start $dir' first"
	kafka "$@" >"$dir/tool.log" 2>&1 || die "$purpose failed: $(tail -n 3 "$dir/tool.log")"
}

delete() { # name
	tool "deleting topic $1" org.apache.kafka.tools.TopicCommand --bootstrap-server "$(cat "$dir/bootstrap")" --delete --topic "$1"
}

forget() { # name, partition, offset
	printf '{"version": 1, "partitions": [{"topic": "%s", "partition": %d, "offset": %d}]}' "$@" >"$dir/forget.json"
	tool "deleting records of $1" org.apache.kafka.tools.DeleteRecordsCommand --bootstrap-server "$(cat "$dir/bootstrap")" \
		--offset-json-file "$dir/forget.json"
}

read_values() { # name, partition, count
	running || die "no broker runs in $dir: run 'broker.sh start $dir' first"
	# Nothing but values on its output: log4j's own configuration, turned off.
	java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.apache.logging.log4j.level=OFF -cp "$jars/*" \
		org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$(cat "$dir/bootstrap")" --topic "$1" \
		--partition "$2" --offset earliest --max-messages "$3" --timeout-ms 20000 2>"$dir/tool.log" ||
		die "reading $1 failed: $(tail -n 3 "$dir/tool.log")"
}

[ $# -ge 1 ] || usage
command=$1
shift
if [ "$command" = fetch ]; then
	[ $# -eq 0 ] || usage
	fetch
	exit
fi

[ $# -ge 1 ] || usage
need java
need python3
case $command in start | restart | topic | delete | forget | read) fetch ;; esac
[ "$command" != start ] || mkdir -p "$1"
[ -d "$1" ] || die "$1 is not a directory: give the one that 'broker.sh start' was given"
dir=$(cd "$1" && pwd -P)
shift
case $command in
start | stop | restart) [ $# -eq 0 ] || usage; "$command" ;;
kill) [ $# -eq 0 ] || usage; kill_now ;;
topic) [ $# -ge 2 ] || usage; topic "$@" ;;
delete) [ $# -eq 1 ] || usage; delete "$@" ;;
forget) [ $# -eq 3 ] || usage; forget "$@" ;;
read) [ $# -eq 3 ] || usage; read_values "$@" ;;
*) usage ;;
esac
