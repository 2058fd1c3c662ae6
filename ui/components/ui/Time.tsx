'use client'

import { dateTime, iso, relative, time } from '@/lib/format'
import { useNow } from '@/lib/now'
import { useZone } from '@/lib/preferences'

interface TimeProps {
  us: number
  look?: 'clock' | 'relative' | 'full'
  className?: string
}

/** A moment in the chosen zone; its title says it in full, whichever way it is shown. */
export function Time({ us, look = 'clock', className }: TimeProps) {
  const zone = useZone()
  const now = useNow()
  const full = dateTime(us, zone)
  const shown = {
    clock: () => time(us, zone, now || us),
    relative: () => relative(us, now || us),
    full: () => full,
  }[look]()
  return (
    <time dateTime={iso(us)} title={`${full} · ${iso(us)}`} className={className} suppressHydrationWarning>
      {shown}
    </time>
  )
}
