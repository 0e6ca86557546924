// Praat's TextGrid, the long text format.

/** Intervals {start, end, label} without gaps, in seconds, as the contents of a .TextGrid file. */
export function textGrid(intervals, tier = "phones") {
  const start = seconds(intervals[0].start);
  const end = seconds(intervals.at(-1).end);
  return `File type = "ooTextFile"
Object class = "TextGrid"

xmin = ${start}
xmax = ${end}
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = ${quoted(tier)}
        xmin = ${start}
        xmax = ${end}
        intervals: size = ${intervals.length}
${intervals.map(entry).join("")}`;
}

function entry({ start, end, label }, i) {
  return `        intervals [${i + 1}]:
            xmin = ${seconds(start)}
            xmax = ${seconds(end)}
            text = ${quoted(label)}
`;
}

// The server's times are of single precision: further digits say nothing.
function seconds(time) {
  return String(Number(time.toFixed(6)));
}

function quoted(text) {
  return `"${text.replaceAll('"', '""')}"`;
}
