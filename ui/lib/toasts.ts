import { useSyncExternalStore } from 'react'

export interface Toast {
  id: number
  text: string
  isError: boolean
}

const SHOWN_MS = 5000
const NONE: Toast[] = []
let shown: Toast[] = NONE
let nextId = 1
const listeners = new Set<() => void>()

/** One line at the edge of the screen, read out by screen readers, gone after five seconds. */
export function toast(text: string, { isError = false } = {}): void {
  const added = { id: nextId++, text, isError }
  show([...shown.slice(-2), added])
  setTimeout(() => show(shown.filter((each) => each.id !== added.id)), SHOWN_MS)
}

function show(toasts: Toast[]): void {
  shown = toasts
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function useToasts(): Toast[] {
  return useSyncExternalStore(
    subscribe,
    () => shown,
    () => NONE,
  )
}
