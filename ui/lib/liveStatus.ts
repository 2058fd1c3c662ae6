import { useSyncExternalStore } from 'react'
import type { LiveState } from './live'

/** How the live stream is doing, for whoever shows it. */
interface LiveStatus {
  state: LiveState
  /** When the server last said something, epoch microseconds; 0 for never. */
  lastWordUs: number
}

const START: LiveStatus = { state: 'connecting', lastWordUs: 0 }
let current = START
const listeners = new Set<() => void>()

export function setLiveStatus(change: Partial<LiveStatus>): void {
  current = { ...current, ...change }
  for (const listener of listeners) listener()
}

export function liveStatus(): LiveStatus {
  return current
}

export function useLiveStatus(): LiveStatus {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    liveStatus,
    () => START,
  )
}
