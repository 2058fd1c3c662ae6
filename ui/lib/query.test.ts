import { expect, test } from 'vitest'
import { atAnyTime, operatorOf, searchHref, within, withOperator } from './query'

test('an operator is put in, changed and taken out; the rest stays as it was', () => {
  const q = 'oom "exact words" -healthz'

  const narrowed = withOperator(q, 'ns', 'shop')

  expect(narrowed).toBe('oom "exact words" -healthz ns:shop')
  expect(operatorOf(narrowed, 'ns')).toBe('shop')
  expect(withOperator(narrowed, 'ns', 'pay')).toBe('oom "exact words" -healthz ns:pay')
  expect(withOperator(narrowed, 'ns', '')).toBe(q)
})

test('both names of an operator are one', () => {
  expect(operatorOf('namespace:shop x', 'ns')).toBe('shop')
  expect(withOperator('namespace:shop x', 'ns', 'pay')).toBe('x ns:pay')
})

test('a word that only looks like an operator stays', () => {
  expect(withOperator('error:ns x', 'ns', 'shop')).toBe('error:ns x ns:shop')
  expect(operatorOf('"ns:quoted" x', 'ns')).toBe('')
})

test('a value with a blank is quoted', () => {
  expect(withOperator('', 'app', 'my app')).toBe('app:"my app"')
})

test('a range of time is two operators, and no range is none', () => {
  const q = within('oom since:2h', 1_795_000_000_000_000, 1_795_000_060_500_000)

  expect(q).toBe('oom since:2026-11-18T11:06:40Z until:2026-11-18T11:07:40.500Z')
  expect(atAnyTime(q)).toBe('oom')
})

test('the address holds the question and the page', () => {
  expect(searchHref(' ')).toBe('/search/')
  expect(searchHref('a b', 'p2')).toBe('/search/?q=a+b&after=p2')
})
