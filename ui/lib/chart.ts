import type { ChartLine, ChartPoint, MemoryChart } from './api/types'

type Values = (number | null | undefined)[]

/** Columns for uPlot: times in seconds, a column for each line, and the limit. */
export interface ChartTable {
  times: number[]
  lines: Values[]
  limit: Values
  highest: number
}

/** Lines of different clocks on one axis; where a line was silent for long it is broken. */
export function chartTable(chart: MemoryChart): ChartTable {
  const lines = chart.lines.map((line) => withGaps(line.points))
  const limit = steps(chart.limit, chart.until_us)
  const all = [...lines, limit].flatMap((points) => points.map(([us]) => us))
  const times = [...new Set([chart.since_us, ...all, chart.until_us])].toSorted((a, b) => a - b)
  return {
    times: times.map((us) => us / 1_000_000),
    lines: lines.map((points) => column(points, times)),
    limit: column(limit, times),
    highest: Math.max(0, ...lines.flat().map(([, value]) => value ?? 0)),
  }
}

type Placed = [us: number, value: number | null]

function column(points: Placed[], times: number[]): Values {
  const at = new Map(points)
  // Not `null`: a time that belongs to another line is no gap of this one.
  return times.map((us) => (at.has(us) ? at.get(us) : undefined))
}

const LEAST_GAP_US = 10_000_000

function withGaps(points: ChartPoint[]): Placed[] {
  const distances = points.slice(1).map((point, index) => point.ts_us - (points[index]?.ts_us ?? 0))
  const usual = distances.toSorted((a, b) => a - b)[Math.floor(distances.length / 2)] ?? 0
  const longest = Math.max(LEAST_GAP_US, usual * 4)
  return points.flatMap((point, index): Placed[] => {
    const before = points[index - 1]
    const here: Placed = [point.ts_us, point.value]
    if (!before || point.ts_us - before.ts_us <= longest) return [here]
    return [[before.ts_us + 1, null], here]
  })
}

function steps(points: ChartPoint[], untilUs: number): Placed[] {
  const last = points.at(-1)
  const placed = points.map((point): Placed => [point.ts_us, point.value])
  return last && last.ts_us < untilUs ? [...placed, [untilUs, last.value]] : placed
}

function peak(line: ChartLine): number {
  return Math.max(0, ...line.points.map((point) => point.value))
}

/** The line that rose highest; it is the one to look at. */
export function worstLine(lines: ChartLine[]): ChartLine | undefined {
  return lines.toSorted((a, b) => peak(b) - peak(a))[0]
}
