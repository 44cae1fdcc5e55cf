#!/bin/sh
# demo.sh [--providers] [WAV...] - a whole telephone call with the program in build/, printed as it happens
#
# --providers: through Whisper, a chat model and Google's voice, or rather their stand-ins on this machine: these tell by its
# length which sentence the synthetic caller has said, know what a receptionist answers, and speak with another voice of flite.
#
# The caller is the recordings given, or people of ../shared/speech (AGENTLOCATOR_SHARED), or a flite voice other than the
# agent's; it says which. Everything it starts listens on this machine only and is gone at the end; what stays is the
# stereo recording.
set -eu

top=${top_srcdir-$(cd "$(dirname "$0")/.." && pwd)}
build=${top_builddir-$top/build}
shared=${AGENTLOCATOR_SHARED-$top/../shared}
program=$build/agentlocator
folder=$(mktemp -d "${TMPDIR-/tmp}/agentlocator-demo.XXXXXX")
kept=$build/demo
server=
clouds=

finish()
{
    status=$?
    exec 9>&- # the stand-ins end with it
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$folder"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

providers=
if [ "${1-}" = --providers ]; then
    providers=yes
    shift
fi

# --- who calls

from=+14125550123
digits= # what the number answer has to be understood as; "" nobody knows what the recordings say

# people: one speaker of AN4 for the answers with a grammar, a reader for the wish. A line each: FILE|WORDS.
people()
{
    for file in human/read/austen-0930.wav human/an4_test/cen2-mmxg-b.wav human/an4_cmd/an443-mmxg-b.wav \
        human/an4_test/cen7-mmxg-b.wav human/an4_cmd/an442-mmxg-b.wav; do
        awk -F'\t' -v file="$file" -v at="$shared/speech/" '$1 == file { print at $1 "|" $2 }' "$shared/speech/manifest.tsv"
    done
}

# synthetic: the same for the lines on standard input
synthetic()
{
    n=0
    while read -r words; do
        n=$((n + 1))
        flite -voice slt -t "$words" -o "$folder/$n.wav"
        echo "$folder/$n.wav|$words"
    done
}

plain_answers()
{
    cat <<END
i would like to make an appointment for next week
my name is anna brown
no
four one two five five five zero one nine nine
yes
END
}

free_answers()
{
    cat <<END
hello there i would like to make an appointment for the beginning of next week if that is possible
my name is anna brown
no please use another number
four one two five five five zero one nine nine
yes
END
}

if [ $# -gt 0 ]; then
    echo "caller     the recordings given"
    for file; do echo "$file|"; done >"$folder/turns"
elif [ -n "$providers" ]; then
    echo "caller     the synthetic voice slt of flite"
    free_answers | synthetic >"$folder/turns"
    digits=4125550199
elif [ -r "$shared/speech/manifest.tsv" ]; then
    echo "caller     people: a reader of LibriVox and a speaker of CMU's AN4, through a telephone"
    people >"$folder/turns"
    digits=4122684142
else
    echo "caller     nobody human is at hand ($shared/speech is not there): the synthetic voice slt of flite; the agent's is rms"
    plain_answers | synthetic >"$folder/turns"
    digits=4125550199
fi

# --- the providers

# control METHOD-AND-PATH JSON: tell the stand-ins something
control() { curl -sSf -o "$folder/answer" "http://127.0.0.1:$clouds/$1" --data-binary "$2"; }

# What the transcription hears: the sentence that was as long.
sentences()
{
    python3 - "$folder/turns" <<'END'
import json, sys, wave
rows = [line.rstrip("\n").split("|") for line in open(sys.argv[1])]
lengths = [(recording.getnframes() / recording.getframerate()) for recording in (wave.open(file) for file, _ in rows)]
print(json.dumps({"openai": {"heard": [{"seconds": length, "text": words} for length, (_, words) in zip(lengths, rows)]}}))
END
}

if [ -n "$providers" ]; then
    command -v node >/dev/null || {
        echo "demo: there is no node to run the stand-ins of the providers with" >&2
        exit 1
    }
    mkfifo "$folder/life"
    node "$top/tests/standins/main.js" --record "$folder/requests" --settings "$(cat "$top/tests/standins/demo.json")" \
        <"$folder/life" >"$folder/facts" &
    exec 9>"$folder/life"
    while ! grep -q . "$folder/facts"; do
        kill -0 $! 2>/dev/null || exit 1
        sleep 0.1
    done
    facts() { python3 -c 'import json, sys; facts = json.load(open(sys.argv[1])); print(eval(sys.argv[2], facts))' "$folder/facts" "$1"; }
    clouds=$(facts control)
    export OPENAI_API_KEY=sk-standin NO_PROXY='*'
    OPENAI_BASE_URL=$(facts 'f"{scheme}:{openai}/v1"')
    GOOGLE_TTS_BASE_URL=$(facts 'f"{scheme}:{google}"')
    TWILIO_BASE_URL=$(facts 'f"{scheme}:{twilio}"')
    GOOGLE_TTS_SA_JSON=$(facts '__import__("json").dumps(account)')
    export OPENAI_BASE_URL GOOGLE_TTS_BASE_URL TWILIO_BASE_URL GOOGLE_TTS_SA_JSON
    control settings "$(sentences)"
    echo "providers  Whisper, a chat model and Google's voice: stand-ins on this machine"
fi

# --- the server

export APP_ENV=development PUBLIC_HOST=demo.example TWILIO_AUTH_TOKEN=0123456789abcdef0123456789abcdef
export DATABASE_URL="lmdb://$folder/store" STATE_DIR="$folder/state" CACHE_DIR="$folder/cache"
export AGENT_PROFILE=receptionist-en BUSINESS_NAME="the demo office" DEFAULT_COUNTRY=1 TTS_VOICE=rms
mkdir -m 700 "$folder/store" "$folder/state" "$folder/cache"

"$program" serve --listen http=127.0.0.1:0 2>"$folder/log" &
server=$!
port=
while [ -z "$port" ] || ! grep -qw ready "$folder/log"; do
    kill -0 "$server" 2>/dev/null || {
        echo "demo: the server does not start:" >&2
        cat "$folder/log" >&2
        exit 1
    }
    sleep 0.1
    port=$(sed -n 's/.*listening http on .*:\([0-9]*\).*/\1/p' "$folder/log")
done
echo "server     answers on 127.0.0.1:$port"
echo

# --- the call

# call NAME OPTION...: one call, the JSON of its result in $folder/NAME.json
call()
{
    name=$1
    shift
    { "$program" call --to-url "http://127.0.0.1:$port/webhook/incoming_call" --from $from --json "$@" 2>&1 \
        >"$folder/$name.json" && : >"$folder/$name.good"; } | python3 "$top/tests/follow.py" "$program"
    [ -e "$folder/$name.good" ]
}

set --
while IFS='|' read -r file words; do
    set -- "$@" ${words:+--say-text "$words"} --wav "$file"
done <"$folder/turns"
mkdir -p "$kept"
failed=0
call first --record "$kept/call.wav" "$@" || failed=1

echo
echo "A second call from the same number, by somebody who does not wait for his turn:"
echo
call second --record "$kept/barge-in.wav" --barge 1500 "$@" --seconds 12 || failed=1

# --- what is left of it

sid() { sed -n 's/.*"call_sid": *"\(CA[0-9a-f]*\)".*/\1/p' "$folder/$1.json"; }

echo
echo "The call as it was kept${providers:+, with where the time of each answer went}:"
echo
"$program" calls "$(sid first)"
echo
echo "What is known of the caller now:"
echo
"$program" contacts "$from"
echo
echo "recording  $kept/call.wav (caller left, agent right); the second call is barge-in.wav beside it"
"$program" calls "$(sid first)" --json >"$folder/call.json"
"$program" contacts "$from" --json >"$folder/contact.json"

digits=$digits providers=$providers python3 - "$folder" <<'END' || failed=1
import collections, json, os, sys

folder, digits, providers = sys.argv[1], os.environ["digits"], os.environ["providers"]
first, second, call, contact = (json.load(open(f"{folder}/{name}.json"))
                                for name in ("first", "second", "call", "contact"))
NO, YES = ("no", "nope", "no thanks"), ("yes", "yeah", "yes please")
problems = []

def check(good, what):
    if not good:
        problems.append(what)

for row in first["answered"]:
    print(f"first audio {row['first_audio_ms']:6.0f} ms after the end of \"{row['said']}\"")
if digits:
    check(list(first["outcomes"]) == ["the agent hung up"], f"the call did not end with the agent's goodbye: {first['outcomes']}")
check(not first["breaches"] and not second["breaches"], "the server broke a rule")
check(call["status"] == "completed", f"the call is kept as {call['status']}")
check(contact["fields"].get("need") or contact["fields"].get("need_audio"), "what the caller needs was not kept")
if digits:
    check(str(contact["fields"].get("callback", "")).endswith(digits), f"the number was not understood as {digits}")
    heard = [turn["text"] for turn in call["turns"] if turn["who"] == "caller" and turn["expected"] == "yesno"]
    check(providers or len(heard) == 2 and heard[0] in NO and heard[1] in YES, f"no and yes were understood as {heard}")
if providers:
    records = [json.loads(line) for line in open(f"{folder}/requests")]
    asked = collections.Counter(record["path"].split("?")[0] for record in records if record["method"] != "HEAD")
    for path, n in sorted(asked.items()):
        print(f"asked       {n:3} x {path}")
    for path in ("/v1/audio/transcriptions", "/v1/chat/completions", "/v1/text:synthesize"):
        check(asked[path], f"{path} was never asked")
    check(not call.get("steps"), f"somebody was stepped down from: {call.get('steps')}")
    check(any("latency_ms" in turn for turn in call["turns"]), "no turn has its times")
if not second["clears"]:
    print("note: the agent was not interrupted in the second call")
for problem in problems:
    print("FAILED    ", problem)
sys.exit(bool(problems))
END

if [ $failed != 0 ]; then
    echo "demo: FAILED; the server's log:"
    tail -n 40 "$folder/log"
    exit 1
fi
echo "demo: ${digits:+all of it was understood, and }it is kept"
