"""The synthesiser's own process: run as a script, it speaks one speaker's sentences and ends.

espeak-ng keeps state between sentences that no call resets (flutter, noise, echo), so what it
says depends on what it said before. A fresh process for each speaker makes the result depend on
that speaker alone. It also keeps the GPL-3 library out of every other process. Only the standard
library is imported, which lets the process start in some 20 ms.

stdin: one JSON object (library, data, voice, rate, pitch, range, volume, texts); with `silent`
instead of rate, pitch, range and volume, texts are translated only: no samples, all events at 0.
stdout: for each text one JSON line {"samples": n, "events": [...]} followed by n int16 samples;
an event is ["word", sample, first character, length] or ["phone", sample, mnemonic]. On failure:
one line on stderr, exit code 1.
"""

import ctypes
import json
import sys

RETRIEVAL = 1
BUFFER_MS = 2000
PHONEME_EVENTS = 0x0001
DONT_EXIT = 0x8000
UTF8 = 1
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4
WORD_EVENT, PHONEME_EVENT = 1, 7


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def _mnemonic(event: _Event) -> str:
    # All eight bytes may be in use, without a closing zero.
    raw = ctypes.string_at(ctypes.addressof(event) + _Event.id.offset, 8)
    return raw.split(b"\0")[0].decode("utf-8", "replace")


def _translated(library: ctypes.CDLL, text: str) -> list:
    """The phonemes of a text as events, without speaking it."""
    translate = library.espeak_TextToPhonemes
    translate.restype = ctypes.c_char_p
    rest = ctypes.c_char_p(text.encode())
    events: list = []
    while rest.value:
        # A clause at a time, mnemonics with a space after each.
        clause = translate(ctypes.byref(rest), UTF8, ord(" ") << 8) or b""
        events += (["phone", 0, name] for name in clause.decode("utf-8", "replace").split())
    return events


def main() -> int:
    """Speak the sentences that stdin lists."""
    job = json.load(sys.stdin)
    library = ctypes.CDLL(job["library"])
    rate = library.espeak_Initialize(
        RETRIEVAL, BUFFER_MS, job["data"].encode(), PHONEME_EVENTS | DONT_EXIT
    )
    if rate <= 0:
        print(f"espeak-ng cannot read its data in {job['data']}", file=sys.stderr)
        return 1
    audio: list = []
    events: list = []

    def collect(samples: object, count: int, event: object) -> int:
        if samples and count:
            audio.append(ctypes.string_at(samples, 2 * count))  # type: ignore[arg-type]
        index = 0
        while (current := event[index]).type:  # type: ignore[index]
            if current.type == WORD_EVENT:
                events.append(["word", current.sample, current.text_position, current.length])
            elif current.type == PHONEME_EVENT:
                events.append(["phone", current.sample, _mnemonic(current)])
            index += 1
        return 0

    callback = _Callback(collect)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(job["voice"].encode()) != 0:
        print(f"espeak-ng has no voice {job['voice']}", file=sys.stderr)
        return 1
    if job.get("silent"):
        for text in job["texts"]:
            print(json.dumps({"samples": 0, "rate": rate, "events": _translated(library, text)}))
        return 0
    for parameter, name in ((RATE, "rate"), (VOLUME, "volume"), (PITCH, "pitch"), (RANGE, "range")):
        library.espeak_SetParameter(parameter, job[name], 0)
    for text in job["texts"]:
        audio.clear()
        events.clear()
        data = text.encode() + b"\0"
        if library.espeak_Synth(data, len(data), 0, 1, 0, UTF8, None, None) != 0:
            print(f"espeak-ng cannot speak {text!r}", file=sys.stderr)
            return 1
        library.espeak_Synchronize()
        samples = b"".join(audio)
        header = {"samples": len(samples) // 2, "rate": rate, "events": events}
        sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + samples)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
