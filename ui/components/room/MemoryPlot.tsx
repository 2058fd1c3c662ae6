'use client'

import 'uplot/dist/uPlot.min.css'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import type { MemoryChart } from '@/lib/api/types'
import { chartTable, worstLine } from '@/lib/chart'
import { bytes, shortTime, time, type Zone } from '@/lib/format'
import { useZone } from '@/lib/preferences'
import { drawMarks, MARK_ROOM } from './marks'

const HEIGHT = 208

/** Working set over time, the limit as steps, and what happened as marks. */
export function MemoryPlot({ chart }: { chart: MemoryChart }) {
  const box = useRef<HTMLDivElement>(null)
  const readout = useRef<HTMLParagraphElement>(null)
  const zone = useZone()

  useEffect(() => {
    const element = box.current
    if (!element) return
    const plot = draw(element, chart, zone, (text) => {
      if (readout.current) readout.current.textContent = text
    })
    const watch = new ResizeObserver(() => {
      plot.setSize({ width: element.clientWidth, height: HEIGHT })
    })
    watch.observe(element)
    return () => {
      watch.disconnect()
      plot.destroy()
    }
  }, [chart, zone])

  return (
    <div className="px-2 pt-2 pb-1">
      <div ref={box} role="img" aria-label={description(chart)} className="w-full" style={{ height: HEIGHT }} />
      <div className="flex min-h-6 flex-wrap items-center gap-x-4 px-1 text-meta text-fg-3">
        <Legend chart={chart} />
        <p ref={readout} aria-hidden className="ml-auto mono" />
      </div>
    </div>
  )
}

function Legend({ chart }: { chart: MemoryChart }) {
  const worst = worstLine(chart.lines)
  const others = chart.lines.length - 1
  return (
    <ul className="flex min-w-0 flex-wrap gap-x-4">
      {worst && (
        <li className="flex min-w-0 items-center gap-1.5">
          <span aria-hidden className="h-0.5 w-3 shrink-0 bg-[var(--chart)]" />
          <span className="truncate mono">{worst.label}</span>
        </li>
      )}
      {others > 0 && (
        <li className="flex items-center gap-1.5">
          <span aria-hidden className="w-3 border-t border-dashed border-fg-2" />
          {others} more
        </li>
      )}
    </ul>
  )
}

function description(chart: MemoryChart): string {
  const { highest } = chartTable(chart)
  const limit = chart.limit.at(-1)
  const marks = chart.marks.map((mark) => mark.label).join(', ')
  return [
    `${chart.title}.`,
    `Highest ${bytes(highest)},`,
    limit ? `limit ${bytes(limit.value)}.` : 'no limit.',
    marks && `Marks: ${marks}.`,
  ].join(' ')
}

/** With seconds where a step is less than a minute. */
function axisTime(us: number, stepS: number, zone: Zone): string {
  return stepS < 60 ? time(us, zone, us) : shortTime(us, zone)
}

const STEPS = Array.from({ length: 40 }, (_, power) => 2 ** (power + 8))

function draw(element: HTMLElement, chart: MemoryChart, zone: Zone, say: (text: string) => void): uPlot {
  const css = getComputedStyle(element)
  const colour = (name: string) => css.getPropertyValue(name).trim()
  const table = chartTable(chart)
  const worst = worstLine(chart.lines)
  const highestLimit = Math.max(0, ...chart.limit.map((point) => point.value))
  // A limit far above all use would press the lines flat.
  const top = Math.max(table.highest, highestLimit <= table.highest * 4 ? highestLimit : 0) * 1.1
  const font = `11px ${css.fontFamily}`
  const axis = { stroke: colour('--fg-3'), font, ticks: { show: false } }
  const plot = new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      padding: [MARK_ROOM, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: true }, y: { range: () => [0, top || 1] } },
      axes: [
        { ...axis, grid: { show: false }, size: 24, values: (_, at, _axis, _space, step) => at.map((s) => axisTime(s * 1e6, step, zone)) },
        {
          ...axis,
          size: 52,
          incrs: STEPS,
          space: 44,
          grid: { stroke: colour('--line'), width: 1 },
          values: (_, at) => at.map((value) => bytes(value)),
        },
      ],
      series: [
        {},
        ...chart.lines.map((line): uPlot.Series => {
          const isWorst = line === worst
          return {
            label: line.label,
            stroke: colour(isWorst ? '--chart' : '--fg-2'),
            width: isWorst ? 1.75 : 1.25,
            points: { show: false },
            ...(isWorst ? { fill: colour('--chart-fill') } : { dash: [4, 2] }),
          }
        }),
        {
          label: 'limit',
          stroke: colour('--crit'),
          width: 1.25,
          dash: [5, 4],
          points: { show: false },
          ...(uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
        },
      ],
      hooks: {
        draw: [(drawn) => drawMarks(drawn, chart, colour, font)],
        setCursor: [(drawn) => say(readoutAt(drawn, chart, zone))],
      },
    },
    [table.times, ...table.lines, table.limit],
    element,
  )
  return plot
}

function readoutAt(plot: uPlot, chart: MemoryChart, zone: Zone): string {
  const index = plot.cursor.idx
  const seconds = index === null || index === undefined ? undefined : plot.data[0][index]
  if (index === null || index === undefined || seconds === undefined) return ''
  const values = plot.data.slice(1, 1 + chart.lines.length).map((line) => line[index] ?? 0)
  const highest = Math.max(...values)
  return highest === 0 ? '' : `${time(seconds * 1e6, zone, chart.until_us)}  ${bytes(highest)}`
}
