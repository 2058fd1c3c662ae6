import { useSyncExternalStore } from 'react'

/** Which evidence the pointer is on, so that the same id lights up wherever it stands. */
let lit = ''
const listeners = new Set<() => void>()

export function light(id: string): void {
  lit = id
  for (const listener of listeners) listener()
}

export function useIsLit(id: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => lit === id,
    () => false,
  )
}
