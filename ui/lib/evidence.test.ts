import { expect, test } from 'vitest'
import * as make from '../mocks/fixtures.mjs'
import { citations, openSource, pretty } from './evidence'

test('every citation of the invented room resolves', () => {
  const room = make.room(1)
  const known = room.evidence.map((each) => each.id)

  expect(citations(room).length).toBeGreaterThan(8)
  for (const id of citations(room)) expect(known).toContain(id)
})

test.each([
  ['log:12:340', { kind: 'log', address: '12:340' }],
  ['incident:7', { kind: 'incident', id: 7 }],
  ['object:0f-1@482', { kind: 'stored' }],
  ['log:12:340/../x', { kind: 'stored' }],
])('the source %s opens as it should', (source, opened) => {
  expect(openSource(source)).toEqual(opened)
})

test('JSON gets line breaks, other text stays as it is', () => {
  expect(pretty('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}')
  expect(pretty('{not json')).toBe('{not json')
  expect(pretty('137')).toBe('137')
})
