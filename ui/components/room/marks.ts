import type uPlot from 'uplot'
import type { MemoryChart } from '@/lib/api/types'
import { bytes } from '@/lib/format'

/** Space above the plot for the names of the marks: two lanes, so that neighbours do not collide. */
export const MARK_ROOM = 34
const LANE = 15

const COLOUR: Record<string, string> = {
  change: '--info',
  alert: '--crit',
  action: '--fg-2',
  verified: '--ok',
}

/** Upright lines where something happened, named above the plot, and the name of the limit. */
export function drawMarks(
  plot: uPlot,
  chart: MemoryChart,
  colour: (name: string) => string,
  font: string,
): void {
  const { ctx, bbox } = plot
  const scale = globalThis.devicePixelRatio || 1
  ctx.save()
  ctx.font = font.replace(/^(\d+)px/, (_, size: string) => `${Number(size) * scale}px`)
  ctx.textBaseline = 'alphabetic'
  // The axes have left it at the right.
  ctx.textAlign = 'left'
  const ends: number[] = []
  for (const mark of chart.marks.toSorted((a, b) => a.ts_us - b.ts_us)) {
    const x = Math.round(plot.valToPos(mark.ts_us / 1e6, 'x', true))
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    const text = shorten(mark.label)
    const width = ctx.measureText(text).width
    const left = Math.min(x + 3 * scale, bbox.left + bbox.width - width)
    const lane = (ends[0] ?? 0) <= left ? 0 : (ends[1] ?? 0) <= left ? 1 : -1
    ctx.strokeStyle = ctx.fillStyle = colour(COLOUR[mark.kind] ?? '--fg-3')
    ctx.lineWidth = scale
    ctx.setLineDash([4 * scale, 3 * scale])
    ctx.beginPath()
    ctx.moveTo(x, bbox.top - (lane > 0 ? 0 : LANE) * scale)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    if (lane < 0) continue
    ends[lane] = left + width + 8 * scale
    ctx.fillText(text, left, bbox.top - (4 + (1 - lane) * LANE) * scale)
  }
  ctx.setLineDash([])
  nameLimit(plot, chart, colour, scale)
  ctx.restore()
}

function nameLimit(
  plot: uPlot,
  chart: MemoryChart,
  colour: (name: string) => string,
  scale: number,
): void {
  const limit = chart.limit.at(-1)
  if (!limit) return
  const { ctx, bbox } = plot
  const y = plot.valToPos(limit.value, 'y', true)
  if (y < bbox.top) return
  const text = `limit ${bytes(limit.value)}`
  const left = bbox.left + bbox.width - ctx.measureText(text).width - 4 * scale
  const isRoomAbove = y - bbox.top > 14 * scale
  const base = y + (isRoomAbove ? -4 : 13) * scale
  // A rim in the colour of the ground keeps the name readable where lines cross it.
  ctx.lineWidth = 4 * scale
  ctx.lineJoin = 'round'
  ctx.strokeStyle = colour('--panel')
  ctx.strokeText(text, left, base)
  ctx.fillStyle = colour('--crit')
  ctx.fillText(text, left, base)
}

function shorten(label: string): string {
  return label.length > 34 ? `${label.slice(0, 33)}…` : label
}
