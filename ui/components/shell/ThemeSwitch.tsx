'use client'

import { Monitor, Moon, Sun } from 'lucide-react'
import { setTheme, type Theme, useTheme } from '@/lib/preferences'

const NEXT: Record<Theme, Theme> = { system: 'dark', dark: 'light', light: 'system' }
const ICON = { dark: Moon, light: Sun, system: Monitor } as const

export function ThemeSwitch() {
  const theme = useTheme()
  const Icon = ICON[theme]
  return (
    <button
      type="button"
      aria-label={`Theme: ${theme}; change to ${NEXT[theme]}`}
      title={`Theme: ${theme}; change to ${NEXT[theme]}`}
      onClick={() => setTheme(NEXT[theme])}
      className="grid size-8 shrink-0 place-items-center rounded-md text-fg-2 hover:bg-raised hover:text-fg max-sm:size-11"
    >
      <Icon className="size-4" aria-hidden />
    </button>
  )
}
