import { describe, expect, test } from 'vitest'
import { bytes, clock, dateTime, duration, objectName, plural, relative, time } from './format'

const NOON = Date.UTC(2026, 2, 4, 12, 0, 0) * 1000
const SECOND = 1_000_000

describe('clock', () => {
  test.each([
    [0, '00:00'],
    [254, '04:14'],
    [3723, '1:02:03'],
    [2 * 86_400 + 3 * 3600, '2d 03:00:00'],
    [-5, '00:00'],
  ])('%d seconds run as %s', (seconds, shown) => {
    expect(clock(seconds)).toBe(shown)
  })
})

describe('duration', () => {
  test.each([
    [41.4, '41s'],
    [378, '6m 18s'],
    [3840, '1h 04m'],
    [2 * 86_400 + 3 * 3600, '2d 3h'],
  ])('%d seconds took %s', (seconds, shown) => {
    expect(duration(seconds)).toBe(shown)
  })
})

test('an object is named with its namespace, where it has one', () => {
  expect(objectName({ kind: 'Service', namespace: 'shop', name: 'web' })).toBe('Service shop/web')
  expect(objectName({ kind: 'Node', namespace: '', name: 'worker-2' })).toBe('Node worker-2')
})

describe('bytes', () => {
  test.each([
    [0, '0'],
    [1023, '1023'],
    [50_331_648, '48Mi'],
    [33_554_432.5, '32Mi'],
    [1.5 * 2 ** 30, '1.5Gi'],
  ])('%d bytes are %s', (count, shown) => {
    expect(bytes(count)).toBe(shown)
  })
})

describe('relative', () => {
  test.each([
    [2, 'just now'],
    [12, '12s ago'],
    [360, '6m ago'],
    [7200, '2h ago'],
    [3 * 86_400, '3d ago'],
    [-60, 'just now'],
  ])('%d seconds back is %s', (seconds, shown) => {
    expect(relative(NOON - seconds * SECOND, NOON)).toBe(shown)
  })
})

test('a time of another day says the day', () => {
  expect(time(NOON, 'utc', NOON + 3600 * SECOND)).toBe('12:00:00')
  expect(time(NOON, 'utc', NOON + 86_400 * SECOND)).toBe('03-04 12:00:00')
})

test('a full time names its zone', () => {
  expect(dateTime(NOON, 'utc')).toBe('2026-03-04 12:00:00 UTC')
})

test('one is not many', () => {
  expect(plural(1, 'pod')).toBe('1 pod')
  expect(plural(1204, 'entry', 'entries')).toBe('1,204 entries')
})
