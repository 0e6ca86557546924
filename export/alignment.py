"""Forced alignment inside a graph, as in `zoo.alignment` for words with one pronunciation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from zoo.alignment.aligner import PRIOR_EXPONENT
from zoo.alignment.phonesets import FRAMES, MODIFIERS, PhoneSet
from zoo.alignment.ways import WORST
from zoo.decoding.decoder import Decoder
from zoo.decoding.edits import SILENCE
from zoo.ops.scanning import scan

MAX_PHONES = 2000
"""Most phones of a recording, which are two and a half minutes of speech."""

CHUNK = 256
"""Number of frames whose weights are in memory together."""

_NEVER = -np.inf


class Said(NamedTuple):
    """What is said in a recording.

    Attributes:
        phones: (P,) strings, as they were given.
        words: (P,) int32, number of each phone's word.
        spellings: (P,) int32, number of each phone's spelling.
    """

    phones: Any
    words: Any
    spellings: Any


class Stretches(NamedTuple):
    """Consecutive parts of a text, including silences.

    Attributes:
        sets: (Q,) int32, number of the set of classes of which one is heard.
        optional: (Q,), whether it may be left out; of four in a row one may not.
        units: (Q,) int32, of phone p it is 2 p + 1, of the silence before it 2 p.
    """

    sets: Any
    optional: Any
    units: Any


class Alignment(tf.Module):
    """Aligns the phones of a text with the frames of a recording.

    Args:
        classes: names of the network's outputs.
        groups: class -> scored group.
        decoder: whose counts say which classes the network knows, and how frequent they are.
        hop: samples from one frame to the next.
        sample_rate: sample rate in Hz.
    """

    def __init__(
        self,
        classes: Sequence[str],
        groups: Mapping[str, str],
        decoder: Decoder,
        hop: int,
        sample_rate: int,
    ) -> None:
        super().__init__(name="alignment")
        self._classes, self._hop, self._rate = list(classes), hop, sample_rate
        phones = PhoneSet.trained(classes, groups, decoder.bigram.follows)
        spelled = phones.spellings()
        numbers = {spelling: i for i, spelling in enumerate(dict.fromkeys(spelled.values()))}
        initializer = tf.lookup.KeyValueTensorInitializer(
            list(spelled), [numbers[s] for s in spelled.values()], tf.string, tf.int32
        )
        self.spellings = tf.lookup.StaticHashTable(initializer, -1)
        sets: dict[tuple[int, ...], int] = {}

        def number(states: Sequence[Any]) -> int:
            return sets.setdefault(states[0].classes, len(sets)) if states else -1

        self._pause = number(phones.pause)
        self._before = np.array([spelling.before for spelling in numbers], "int32")
        self._after = np.array([spelling.after for spelling in numbers], "int32")
        # (spellings, kinds before, kinds after, 2): an optional part or -1, and the phone itself.
        self._parts = np.array(
            [
                [[(number(s[:-1]), number(s[-1:])) for s in row] for row in spelling.states]
                for spelling in numbers
            ],
            "int32",
        )
        self._members = np.zeros((len(classes), len(sets)))
        for column, members in enumerate(sets):
            self._members[list(members), column] = 1
        offsets = PRIOR_EXPONENT * np.log(decoder.priors)
        self._offsets = np.array([np.logaddexp.reduce(offsets[list(m)]) for m in sets])

    def said(self, phones: Any) -> Said:
        """Words (W,), each the phones of one with spaces between them, looked up.

        Raises:
            InvalidArgumentError (when the graph runs): an empty word, an unknown phone or too many.
        """
        split = tf.strings.split(phones)
        words, flat = tf.cast(split.value_rowids(), tf.int32), split.values
        empty = _first(tf.equal(split.row_lengths(), 0))
        spellings = self.spellings.lookup(flat)
        stripped = tf.strings.regex_replace(tf.strings.lower(flat, "utf-8"), MODIFIERS, "")
        modified = self.spellings.lookup(tf.strings.join([" ", stripped]))
        spellings = tf.where(spellings < 0, modified, spellings)
        unknown = _first(spellings < 0)
        nowhere = tf.constant([0])
        checks = [
            _assert(empty < 0, "phones[", empty, "] is empty; every word needs its phones"),
            _assert(
                unknown < 0,
                "phones[",
                tf.concat([words, nowhere], 0)[unknown],
                "]: the network has no phone ",
                tf.strings.substr(tf.concat([flat, [""]], 0)[unknown], 0, 40, "UTF8_CHAR"),
            ),
            _assert(
                tf.size(flat) <= MAX_PHONES,
                tf.size(flat),
                f" phones were given; the limit is {MAX_PHONES}, send the recording in parts",
            ),
        ]
        with tf.control_dependencies(checks):
            return Said(tf.identity(flat), tf.identity(words), tf.identity(spellings))

    def align(
        self, said: Said, posteriors: Any, samples: Any, duration: Any, alternatives: int
    ) -> dict[str, Any]:
        """The phones of a recording with their times.

        Args:
            said: what is said in it.
            posteriors: (T, C), of its frames.
            samples: number of its samples, at the network's rate, int32.
            duration: in seconds, float64.
            alternatives: how many classes to name beside each interval.

        Raises:
            InvalidArgumentError (when the graph runs): it is too short for the phones.
        """
        frames, least = tf.shape(posteriors)[0], tf.size(said.phones)
        second = self._rate / self._hop
        fits = _assert(
            least <= frames,
            "the phones take ",
            tf.cast(least, tf.float32) / second,
            " s at the least, and the recording lasts ",
            tf.cast(duration, tf.float32),
            " s; are they those of another recording?",
        )
        with tf.control_dependencies([fits]):
            logs = tf.cast(tf.math.log(posteriors), tf.float64)
        heard = tf.math.log(tf.matmul(tf.exp(logs), self._members))  # (T, sets)
        scores = heard - self._offsets
        stretches = self._stretches(said)
        states = tf.where(FRAMES * least <= frames, FRAMES, 1)
        path = best_way(scores, stretches.sets, stretches.optional, states)
        sets, units = tf.gather(stretches.sets, path), tf.gather(stretches.units, path)

        own = tf.gather(heard, sets, batch_dims=1)
        beaten = tf.clip_by_value(own - tf.reduce_max(logs, axis=1), WORST, 0)
        begins = tf.concat([[True], units[1:] != units[:-1]], 0)
        number = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        unit = tf.boolean_mask(units, begins)
        phone = unit // 2
        pause = unit % 2 == 0
        labels = tf.gather(tf.concat([said.phones, [SILENCE]], 0), phone)
        words = tf.gather(tf.concat([said.words, [-1]], 0), phone)
        edges = self._edges(scores, sets, begins)
        edges = tf.clip_by_value(edges, 0, tf.cast(samples, tf.float64)) / self._rate
        starts, ends = edges[:-1], edges[1:]
        lasting = (starts < ends) & (starts < duration)
        # Resampling adds or takes part of a sample, so the last one ends with the recording.
        ends = tf.where(ends > duration - 1.5 / self._rate, duration, ends)
        means, index = tf.math.top_k(tf.math.segment_mean(posteriors, number), alternatives)
        found = {
            "phones": tf.where(pause, SILENCE, labels),
            "words": tf.where(pause, -1, words),
            "starts": tf.cast(starts, tf.float32),
            "ends": tf.cast(ends, tf.float32),
            "scores": tf.cast(
                tf.clip_by_value(tf.math.segment_mean(tf.exp(own), number), 0, 1), tf.float32
            ),
            "alternatives": tf.gather(tf.constant(self._classes), index),
            "alternative_scores": means,
        }
        return {
            **{name: tf.boolean_mask(values, lasting) for name, values in found.items()},
            "score": tf.cast(tf.exp(tf.reduce_mean(beaten)), tf.float32),
        }

    def _stretches(self, said: Said) -> Stretches:
        count = tf.size(said.phones)
        new = said.words[1:] != said.words[:-1]
        begins, ends = tf.concat([[True], new], 0), tf.concat([new, [True]], 0)
        before = tf.gather(self._before, said.spellings)
        after = tf.gather(self._after, said.spellings)
        before = tf.where(begins, 0, tf.concat([[0], before[:-1]], 0))
        after = tf.where(ends, 0, tf.concat([after[1:], [0]], 0))
        parts = tf.gather_nd(self._parts, tf.stack([said.spellings, before, after], axis=1))
        pauses = tf.where(begins, self._pause, -1)
        rows = tf.concat([pauses[:, None], parts], axis=1)  # (P, 3): silence, closure, phone
        unit = 2 * tf.range(count)[:, None] + tf.constant([[0, 1, 1]])
        optional = tf.tile(tf.constant([True, True, False]), [count])
        sets = tf.concat([tf.reshape(rows, [-1]), [self._pause]], 0)
        there = sets >= 0
        return Stretches(
            tf.boolean_mask(sets, there),
            tf.boolean_mask(tf.concat([optional, [True]], 0), there),
            tf.boolean_mask(tf.concat([tf.reshape(unit, [-1]), [2 * count]], 0), there),
        )

    def _edges(self, scores: Any, sets: Any, begins: Any) -> Any:
        """Where intervals that begin with these frames (T,) have their borders, (M + 1,) samples.

        See `zoo.alignment.ways`: where the scores of what is heard on either side are equal.
        """
        after = tf.where(begins)[1:, 0]
        old, new = tf.gather(sets, after - 1), tf.gather(sets, after)
        earlier, later = tf.gather(scores, after - 1), tf.gather(scores, after)
        ahead = tf.gather(earlier, old, batch_dims=1) - tf.gather(earlier, new, batch_dims=1)
        behind = tf.gather(later, new, batch_dims=1) - tf.gather(later, old, batch_dims=1)
        even = (ahead > 0) & (behind > 0)
        one = tf.ones_like(ahead)
        share = tf.where(even, ahead, one) / tf.where(even, ahead + behind, 2 * one)
        borders = tf.cast(after, tf.float64) - 0.5 + share
        frames = tf.cast(tf.size(sets), tf.float64)
        return tf.round(tf.concat([[0.0], borders, [frames]], 0) * self._hop)


def best_way(scores: Any, sets: Any, optional: Any, states: Any) -> Any:
    """The stretch of every frame (T,) on the best path from the first stretch to the last.

    Of equally good paths, the one from the earlier source is taken, as in `zoo.alignment.search`.
    Memory grows with T / `CHUNK`: for each chunk the weights before its first frame are kept, and
    the others are computed again on the way back.

    Args:
        scores: (T, sets) float64.
        sets: (Q,) int32, what is heard in each stretch.
        optional: (Q,), whether it may be left out; of four in a row one may not.
        states: 1 or 2, fewest frames of a stretch, int32.
    """
    frames, width = tf.shape(scores)[0], tf.size(sets) + 1
    chunks = -(-frames // CHUNK)
    double = tf.equal(states, 2)
    heard = tf.concat([[0], sets], 0)
    # Place 0 is before the first frame, the place behind the last one is the end.
    skipped = tf.concat([[False], optional], 0)
    never = tf.constant(_NEVER, tf.float64)

    def allowed(where):
        return tf.where(where, tf.constant(0, tf.float64), never)

    one_skipped = tf.concat([[False], skipped], 0)
    both_skipped = one_skipped & tf.concat([[False, False], skipped[:-1]], 0)
    by_two, by_three = allowed(one_skipped), allowed(both_skipped)
    nothing = tf.fill([3], never)
    alive = tf.concat([[never], tf.zeros([width - 1], tf.float64)], 0)

    def forward(best, frame):
        first, last = best[0], best[1]
        padded = tf.concat([nothing, last], 0)
        entered = tf.maximum(padded[2:-1], padded[1:-2] + by_two[:-1])
        entered = tf.maximum(entered, padded[:-3] + by_three[:-1])
        score = tf.gather(scores[tf.minimum(frame, frames - 1)], heard) + alive
        moved = tf.maximum(tf.where(double, first, entered), last)
        new = tf.stack([entered + score, moved + score])
        return tf.where(frame < frames, new, best), best

    def over_chunk(best, chunk):
        return scan(lambda carry, i: forward(carry, chunk * CHUNK + i), best, CHUNK)

    before_all = tf.stack([tf.fill([width], never), tf.concat([[0.0], alive[1:] + never], 0)])
    last, starts = scan(lambda best, n: (over_chunk(best, n)[0], best), before_all, chunks)

    def entering(weights, place):
        padded = tf.concat([nothing, weights], 0)
        ways = [padded[place] + by_three[place], padded[place + 1] + by_two[place]]
        return [*ways, padded[place + 2]]

    def back(history, chunk):
        def step(state, i):
            before = history[i]
            in_last, place = state >= width, state % width
            enters = tf.logical_or(tf.logical_not(in_last), tf.logical_not(double))
            ways = tf.stack([*entering(before[1], place), before[0][place], before[1][place]])
            open_ways = tf.stack([enters] * 3 + [in_last & double, in_last])
            which = tf.argmax(tf.where(open_ways, ways, never), output_type=tf.int32)
            sources = width + place + tf.constant([-3, -2, -1, 0, 0]) - [0, 0, 0, width, 0]
            source = tf.where(chunk * CHUNK + i < frames, sources[which], state)
            return source, state

        return step

    def back_over_chunk(states, chunk):
        _, history = over_chunk(starts[chunk], chunk)
        source, found = scan(back(history, chunk), states[0], CHUNK, reverse=True)
        return tf.fill([CHUNK], source), found

    final = tf.argmax(tf.stack(entering(last[1], width)), output_type=tf.int32)
    end = tf.fill([CHUNK], 2 * width - 3 + final)
    _, path = scan(back_over_chunk, end, chunks, reverse=True)
    return tf.reshape(path, [-1])[:frames] % width - 1


def _first(wrong: Any) -> Any:
    """Index of the first that is true, int32; -1: none is."""
    where = tf.concat([tf.cast(tf.where(wrong)[:, 0], tf.int32), [-1]], 0)
    return where[0]


def _assert(right: Any, *message: Any) -> Any:
    parts = []
    for part in message:
        if isinstance(part, str) or part.dtype == tf.string:
            parts.append(part)
        else:
            precision = 2 if part.dtype.is_floating else -1
            parts.append(tf.strings.as_string(part, precision=precision))
    return tf.debugging.Assert(right, [tf.strings.join(parts)])
