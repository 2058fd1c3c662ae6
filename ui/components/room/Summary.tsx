'use client'

import { useState } from 'react'
import type { RoomView } from '@/lib/api/types'
import { Sentences } from './Sentences'

/** What is known in a few sentences; a phone shows the first until asked for the rest. */
export function Summary({ room }: { room: RoomView }) {
  const [isWhole, setWhole] = useState(false)
  const { summary, incident } = room
  const [first, ...rest] = summary
  if (incident.resolution) {
    return (
      <>
        <p className="mt-1 max-w-3xl break-words">
          <span className="font-semibold text-ok">Resolved:</span> {incident.resolution}
        </p>
        <p className="max-w-3xl leading-normal text-fg-2 max-sm:hidden">
          <Sentences statements={summary} />
        </p>
      </>
    )
  }
  if (!first) {
    return <p className="mt-1 max-w-3xl text-fg-2">{incident.summary || 'The agents are looking at it.'}</p>
  }
  return (
    <p className="mt-1 max-w-3xl leading-normal text-fg-2">
      <Sentences statements={[first]} />
      {rest.length > 0 && (
        <>
          <span className={isWhole ? '' : 'max-sm:hidden'}>
            <Sentences statements={rest} />
          </span>
          {!isWhole && (
            <button type="button" onClick={() => setWhole(true)} className="font-medium text-info underline sm:hidden">
              {rest.length} more
            </button>
          )}
        </>
      )}
    </p>
  )
}
