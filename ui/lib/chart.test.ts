import { expect, test } from 'vitest'
import type { MemoryChart } from './api/types'
import { chartTable, worstLine } from './chart'

const S = 1_000_000

function chart(more: Partial<MemoryChart>): MemoryChart {
  return { title: '', lines: [], limit: [], marks: [], since_us: 0, until_us: 60 * S, gap: '', ...more }
}

function line(label: string, points: [second: number, value: number][]) {
  return { label, points: points.map(([second, value]) => ({ ts_us: second * S, value })) }
}

test('a time that belongs to another line is no gap', () => {
  const table = chartTable(chart({ lines: [line('a', [[1, 10]]), line('b', [[2, 20]])] }))

  expect(table.times).toEqual([0, 1, 2, 60])
  expect(table.lines).toEqual([
    [undefined, 10, undefined, undefined],
    [undefined, undefined, 20, undefined],
  ])
})

test('a line is broken where it was silent for long', () => {
  const [values] = chartTable(chart({ lines: [line('a', [[1, 1], [2, 2], [3, 3], [40, 4]])] })).lines

  expect(values?.filter((value) => value !== undefined)).toEqual([1, 2, 3, null, 4])
})

test('the limit goes on to the end of the chart', () => {
  const table = chartTable(chart({ limit: [{ ts_us: 0, value: 64 }, { ts_us: 10 * S, value: 32 }] }))

  expect(table.times).toEqual([0, 10, 60])
  expect(table.limit).toEqual([64, 32, 32])
})

test('the worst line is the one that rose highest', () => {
  expect(worstLine([line('a', [[1, 1]]), line('b', [[1, 9]])])?.label).toBe('b')
  expect(worstLine([])).toBeUndefined()
})
