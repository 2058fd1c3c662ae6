import { expect, test } from 'vitest'
import { lit, withoutTitle } from './words'

test('words are marked whatever their case, and as text whatever they hold', () => {
  expect(lit('Out of (memory)', ['(MEMORY)'])).toEqual([
    { text: 'Out of ', isLit: false },
    { text: '(memory)', isLit: true },
  ])
})

test('without words nothing is marked', () => {
  expect(lit('text', [])).toEqual([{ text: 'text', isLit: false }])
})

test('the heading that repeats the title is left out', () => {
  expect(withoutTitle('# Title\n\nText # no title')).toBe('\nText # no title')
})
