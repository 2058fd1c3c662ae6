import { act, renderHook } from '@testing-library/react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { signOut } from './session'
import { useToasts } from './toasts'

const went: string[] = []

beforeEach(() => {
  went.length = 0
  vi.stubGlobal('location', { assign: (to: string) => went.push(to) })
})
afterEach(() => vi.unstubAllGlobals())

test.each([204, 401])('after an answer of %i one is signed out, and sees what a stranger sees', async (status) => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(null, { status })))

  await signOut(false)

  expect(went).toEqual(['/'])
})

test.each([
  ['the store is away', () => Promise.resolve(new Response(null, { status: 503 }))],
  ['the server is away', () => Promise.reject(new TypeError('Failed to fetch'))],
])('while %s one is told that one is still signed in', async (_, fetch) => {
  vi.stubGlobal('fetch', fetch)
  const { result } = renderHook(() => useToasts())

  await act(() => signOut(false))

  expect(went).toEqual([])
  expect(result.current.at(-1)?.text).toMatch(/still signed in/)
})
