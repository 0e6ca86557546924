"""Lengths that a header cannot know, does not keep, or keeps."""

import io
import json
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.lengths import PLACEHOLDERS, SUFFIXES, WIDE, with_length
from zoo.cli import main
from zoo.data import open_corpus, prepare
from zoo.data.corpora.audio import AudioFile, audio_size, read_audio, read_excerpt
from zoo.data.corpora.containers import is_placeholder
from zoo.errors import FileWarning, UsageError

RATE = 16000
SAMPLES = np.random.default_rng(0).integers(-9000, 9000, 5000).astype("int16")
NARROW = ("WAV", "AIFF", "AU")
STATING = (*NARROW, *WIDE, "NIST", "FLAC")


def written(container, samples=SAMPLES, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=container, **options)
    return file.getvalue()


FILES = {name: written(name, subtype="PCM_16") for name in STATING}


def saved(folder, container, contents):
    path = folder / f"a{SUFFIXES.get(container, '.' + container.lower())}"
    path.write_bytes(contents)
    return path


def read_alike(path):
    """The samples of a recording, which every way to read it gives."""
    samples, rate = read_audio(path)
    assert audio_size(path) == (len(samples), rate)
    np.testing.assert_array_equal(np.concatenate(list(AudioFile(path).blocks(777))), samples)
    excerpt, _ = read_excerpt(path, 1000 / rate, 500 / rate)
    np.testing.assert_array_equal(excerpt, samples[1000:1500])
    return samples


UNKNOWN = [
    *((name, size) for name in NARROW for size in PLACEHOLDERS),
    *((name, size) for name in WIDE for size in (0, 2**63 - 1, 2**64 - 1, 2**64 - 4096)),
    ("FLAC", 0),
    ("NIST", 0),
]


@pytest.mark.parametrize(("container", "size"), UNKNOWN)
def test_a_placeholder_is_read_to_the_end(tmp_path, container, size):
    path = saved(tmp_path, container, with_length(FILES[container], container, size))
    np.testing.assert_array_equal(read_alike(path) * 32768, SAMPLES)


@given(st.sampled_from(STATING), st.data())
@settings(max_examples=120, deadline=None)
def test_a_stated_length_is_kept_or_the_file_is_truncated(tmp_path_factory, container, data):
    """Of placeholders the file may hold any number of samples; of other lengths that many."""
    folder = tmp_path_factory.mktemp("stated")
    frames = data.draw(st.integers(1, 20_000) | st.integers(20_000, 2**31 - 2**25))
    size = frames
    if container not in ("FLAC", "NIST"):
        # The chunks of AIFF, CAF and W64 count in what comes before the samples.
        size = 2 * frames + {"AIFF": 8, "CAF": 4, "W64": 24}.get(container, 0)
        if container in NARROW and (size >= 2**32 or is_placeholder(size)):
            return
    path = saved(folder, container, with_length(FILES[container], container, size))
    if frames > len(SAMPLES):
        with pytest.raises(UsageError, match=r"is truncated|lasts"):
            read_audio(path)
    elif container != "AIFF":
        np.testing.assert_array_equal(read_audio(path)[0] * 32768, SAMPLES[:frames])


@given(st.sampled_from(STATING), st.floats(0.3, 0.98))
@settings(max_examples=60, deadline=None)
def test_a_cut_file_that_states_its_length_is_never_read(tmp_path_factory, container, share):
    contents = FILES[container]
    path = saved(tmp_path_factory.mktemp("cut"), container, contents[: int(share * len(contents))])
    with pytest.raises(UsageError, match="truncated"):
        read_audio(path)


@given(st.sampled_from([n for n in STATING if n != "FLAC"]), st.floats(0.8, 1.0))
@settings(max_examples=40, deadline=None)
def test_a_cut_file_of_unknown_length_is_read_as_far_as_it_goes(tmp_path_factory, container, share):
    contents = with_length(FILES[container], container, 0)
    path = saved(tmp_path_factory.mktemp("cut"), container, contents[: int(share * len(contents))])
    found = read_alike(path) * 32768
    np.testing.assert_array_equal(found, SAMPLES[: len(found)])


@pytest.mark.parametrize("power", [32, 40, 44, 47, 62])
@pytest.mark.parametrize(("container", "first"), [("CAF", 8 + 4), ("W64", 40 + 16)])
def test_a_chunk_that_ends_beyond_every_disk_is_no_failure_of_the_disk(
    tmp_path, container, first, power
):
    contents = bytearray(FILES[container])
    order = "big" if container == "CAF" else "little"
    contents[first : first + 8] = (1 << power).to_bytes(8, order)
    path = saved(tmp_path, container, bytes(contents))
    with pytest.raises(UsageError) as refused:
        read_audio(path)
    assert not str(refused.value).startswith("cannot read")


def test_no_samples_before_other_chunks_are_no_samples(tmp_path):
    notes = b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT" + (14).to_bytes(4, "little")
    path = tmp_path / "a.wav"
    path.write_bytes(written("WAV", SAMPLES[:0]) + notes + b"Lavf58.29.100\0")
    with pytest.raises(UsageError, match="holds no samples"):
        read_audio(path)


@pytest.mark.parametrize(
    ("container", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
)
def test_a_cut_stream_is_read_with_a_warning_that_names_it(tmp_path, container, subtype):
    # From 20 kHz on an Ogg page of noise is full soon.
    noise = np.random.default_rng(1).normal(0, 0.2, 200_000)
    contents = written(container, noise, subtype=subtype)
    path = saved(tmp_path, container, contents)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = read_alike(path)
    path.write_bytes(contents[: len(contents) // 2])
    with pytest.warns(FileWarning, match="may be cut short") as caught:
        found = read_alike(path)
    assert all(str(path) in str(warning.message) for warning in caught)
    assert len(whole) == len(noise)
    assert 0.3 * len(whole) < len(found) < 0.7 * len(whole)


@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_without_a_count_of_its_frames_is_counted(tmp_path, loud_first):
    """libsndfile's estimate by the first frame is a seventh or twice of what there is."""
    parts = [np.random.default_rng(0).normal(0, 0.3, RATE), np.zeros(10 * RATE)]
    samples = np.concatenate(parts if loud_first else parts[::-1])
    contents = written("MP3", samples, bitrate_mode="VARIABLE")
    path = tmp_path / "a.mp3"
    # The first frame holds nothing but the count.
    path.write_bytes(contents[contents.index(contents[:2], 10) :])
    found = read_alike(path)
    # An encoder's delay and padding.
    assert 0 <= len(found) - len(samples) < 4000
    path.write_bytes(b"ID3\4\0\0\0\0\0\x20" + bytes(32) + path.read_bytes())
    assert len(read_alike(path)) == len(found)


def annotated(folder, container, length=0):
    for speaker in ("anna", "ben"):
        (folder / speaker).mkdir(parents=True, exist_ok=True)
        saved(folder / speaker, container, with_length(FILES[container], container, length))
    name = f"a{SUFFIXES[container]}"
    rows = [
        f"{s}/{name},{a},{a + 0.1},{x}" for s in ("anna", "ben") for a, x in ((0, "x"), (0.2, "y"))
    ]
    (folder / "segments.csv").write_text("\n".join(["audio,start,end,label", *rows]))
    return folder


@pytest.mark.parametrize(
    ("container", "length", "good"),
    [
        *[("WAV", 0x7FFFF000, True), ("FLAC", 0, True), ("CAF", 2**64 - 1, True)],
        *[("AIFF", 50_000, False), ("FLAC", 6000, False), ("NIST", 5001, False)],
    ],
)
def test_check_and_prepare_agree(tmp_path, capsys, container, length, good):
    folder = annotated(tmp_path / "c", container, length)
    assert main(["corpus", "check", str(folder), "--json"]) == (0 if good else 1)
    found = json.loads(capsys.readouterr().out)
    assert bool(found["problems"]) is not good
    if good:
        prepared = prepare(open_corpus(folder), tmp_path / "set", length="any")
        assert prepared.manifest["splits"]["train"]["examples"] == 2
    else:
        assert "truncated" in found["problems"][0]["problem"]
        with pytest.raises(UsageError, match="truncated"):
            prepare(open_corpus(folder), tmp_path / "set", length="any")


def test_a_cut_stream_is_said_once_by_check_prepare_and_predict(tmp_path, capsys):
    noise = np.random.default_rng(1).normal(0, 0.2, 200_000)
    contents = written("OGG", noise, subtype="VORBIS")
    rows = ["audio,start,end,label,speaker", "a.ogg,0,0.1,x,ann", "b.ogg,0,0.1,x,bo"]
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "segments.csv").write_text("\n".join(rows))
    (folder / "a.ogg").write_bytes(contents)
    (folder / "b.ogg").write_bytes(contents[:-5000])
    assert main(["corpus", "check", str(folder), "--json"]) == 0
    shown = capsys.readouterr()
    assert not shown.err
    (remark,) = json.loads(shown.out)["remarks"]
    assert remark.startswith(f"{folder / 'b.ogg'} may be cut short: ")
    assert main(["prepare", str(folder), str(tmp_path / "set"), "--length", "any"]) == 0
    told = capsys.readouterr().err
    assert told.count("may be cut short") == 1
    assert f"zoo prepare: warning: {remark}\n" in told
    assert main(["predict", str(folder / "b.ogg"), "--start", "0", "--end", "0.1"]) == 0
    assert capsys.readouterr().err == f"zoo predict: warning: {remark}\n"


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW"])
def test_companded_sphere_is_read(tmp_path, subtype):
    path = tmp_path / "a.sph"
    soundfile.write(path, SAMPLES, RATE, format="NIST", subtype=subtype)
    found = read_alike(path)
    np.testing.assert_allclose(found, SAMPLES / 32768, atol=0.02)
    contents = path.read_bytes()
    path.write_bytes(contents[:-100])
    with pytest.raises(UsageError, match="is truncated"):
        read_audio(path)


@pytest.mark.parametrize(
    ("name", "head", "message"),
    [
        ("a b.m4a", b"\0\0\0\x20ftypM4A ", r"MPEG-4.*ffmpeg -i 'a b.m4a' 'a b.wav'"),
        ("a.wav", b"\0\0\0\x18ftypisom", r"MPEG-4.*ffmpeg -i a.wav "),
        ("a.aac", b"\xff\xf1\x50\x80\x02\x1f", "AAC.*ffmpeg -i a.aac a.wav"),
        ("a.webm", b"\x1a\x45\xdf\xa3", "WebM.*ffmpeg"),
        ("a.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media Audio.*ffmpeg"),
        ("a.shn", b"ajkg\x02", "Shorten.*ffmpeg"),
        ("a.amr", b"#!AMR\n", "AMR.*ffmpeg"),
    ],
)
def test_what_is_not_read_is_named_with_the_line_that_converts_it(tmp_path, name, head, message):
    path = tmp_path / name
    path.write_bytes(head + bytes(2000))
    with pytest.raises(UsageError, match=message):
        read_audio(path)


def test_shorten_in_sphere_is_named_with_the_line_that_converts_it(tmp_path):
    path = tmp_path / "a.sph"
    coded = FILES["NIST"][:1024].replace(b"-s3 pcm", b"-s26 pcm,embedded-shorten-v2.00")
    path.write_bytes(coded[:1024] + bytes(3000))
    with pytest.raises(UsageError, match=r"is compressed .*sph2pipe -f wav a\.sph a\.wav"):
        read_audio(path)
