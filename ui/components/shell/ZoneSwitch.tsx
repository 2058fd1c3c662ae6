'use client'

import { zoneName } from '@/lib/format'
import { useNow } from '@/lib/now'
import { setZone, useZone } from '@/lib/preferences'

/** The zone of every time on the page, and the way to the other one. */
export function ZoneSwitch() {
  const zone = useZone()
  const now = useNow()
  const other = zone === 'utc' ? 'local time' : 'UTC'
  const name = now === 0 ? 'UTC' : zoneName(now, zone)
  return (
    <button
      type="button"
      aria-label={`${name}: times shown in this zone; change to ${other}`}
      title={`Times in ${name}; change to ${other}`}
      onClick={() => setZone(zone === 'utc' ? 'local' : 'utc')}
      className="h-8 min-w-12 rounded-md border bg-panel px-2 mono text-meta text-fg-2 hover:border-line-strong max-sm:h-11"
    >
      {name}
    </button>
  )
}
