'use client'

import { clsx } from 'clsx'
import { createContext, use } from 'react'
import { light, useIsLit } from '@/lib/lit'

/** The ids of the evidence that this room holds. */
export const KnownEvidence = createContext<ReadonlySet<string>>(new Set())

/** `E1`: lights the evidence up, and opens it where it lies. */
export function Chip({ id }: { id: string }) {
  const isLit = useIsLit(id)
  if (!use(KnownEvidence).has(id)) {
    return <span className="mono text-tiny text-fg-3 line-through" title="There is no such evidence">{id}</span>
  }
  return (
    <a
      href={`#${id}`}
      onMouseEnter={() => light(id)}
      onMouseLeave={() => light('')}
      onFocus={() => light(id)}
      onBlur={() => light('')}
      className={clsx(
        'inline-grid h-4.5 min-w-6 place-items-center max-sm:h-6 max-sm:min-w-8 rounded px-1 mono text-tiny no-underline',
        isLit ? 'bg-info-soft text-info' : 'bg-raised text-fg-2 hover:text-fg',
      )}
    >
      {id}
    </a>
  )
}

/** Chips in a row, a gap before the first. */
export function Chips({ ids }: { ids: string[] }) {
  if (ids.length === 0) return null
  return (
    <span className="inline-flex flex-wrap gap-1 align-middle">
      {ids.map((id) => (
        <Chip key={id} id={id} />
      ))}
    </span>
  )
}
