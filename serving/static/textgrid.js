// Praat's TextGrid, the long text format.

/**
 * Tiers {name: intervals {start, end, label}}, in seconds, as the contents of a .TextGrid file; what
 * lies between intervals has no label.
 */
export function textGrid(tiers, end) {
  const named = Object.entries(tiers);
  return `File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = ${seconds(end)}
tiers? <exists>
size = ${named.length}
item []:
${named.map(([name, intervals], i) => tier(name, filled(intervals, end), end, i)).join("")}`;
}

function tier(name, intervals, end, i) {
  return `    item [${i + 1}]:
        class = "IntervalTier"
        name = ${quoted(name)}
        xmin = 0
        xmax = ${seconds(end)}
        intervals: size = ${intervals.length}
${intervals.map(entry).join("")}`;
}

/** Without gaps from 0 to the end, as Praat wants them. */
function filled(intervals, end) {
  const found = [];
  let last = 0;
  for (const interval of [...intervals, { start: end, end }]) {
    if (interval.start > last) found.push({ start: last, end: interval.start, label: "" });
    if (interval.end > interval.start) found.push(interval);
    last = interval.end;
  }
  return found;
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
