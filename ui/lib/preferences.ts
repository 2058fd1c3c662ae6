import { useSyncExternalStore } from 'react'
import type { Zone } from './format'

export type Theme = 'dark' | 'light' | 'system'

const listeners = new Set<() => void>()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  addEventListener('storage', listener)
  return () => {
    listeners.delete(listener)
    removeEventListener('storage', listener)
  }
}

function keep(name: string, value: string): void {
  localStorage.setItem(name, value)
  for (const listener of listeners) listener()
}

export function readTheme(): Theme {
  const kept = localStorage.getItem('copilot.theme')
  return kept === 'dark' || kept === 'light' ? kept : 'system'
}

/** Keeps the choice and shows it at once. */
export function setTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme === 'system' ? systemTheme() : theme
  keep('copilot.theme', theme)
}

function systemTheme(): 'dark' | 'light' {
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, readTheme, () => 'system')
}

/** What is on screen now, `system` resolved. */
export function useShownTheme(): string {
  return useSyncExternalStore(
    subscribe,
    () => document.documentElement.dataset.theme ?? 'dark',
    () => 'dark',
  )
}

export function readZone(): Zone {
  return localStorage.getItem('copilot.zone') === 'local' ? 'local' : 'utc'
}

export function setZone(zone: Zone): void {
  keep('copilot.zone', zone)
}

export function useZone(): Zone {
  return useSyncExternalStore(subscribe, readZone, () => 'utc')
}
