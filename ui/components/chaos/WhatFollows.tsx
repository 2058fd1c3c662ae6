'use client'

import { useQuery } from '@tanstack/react-query'
import { ArrowRight, LoaderCircle, Siren } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { Clock } from '@/components/ui/Clock'
import { incidentsQuery } from '@/lib/api/queries'
import type { ChaosStarted } from '@/lib/api/types'
import { incidentName } from '@/lib/format'

const CLOCKS_DIFFER_US = 2_000_000

/** Waits for the incident that must follow, and leads to it as soon as it is there. */
export function WhatFollows({ started }: { started: ChaosStarted }) {
  const query = useQuery({ ...incidentsQuery({ status: [], limit: 10 }), refetchInterval: 2000 })
  const { object, started_us, title } = started
  const found = query.data?.rows.find(
    ({ incident }) =>
      incident.namespace === object.namespace &&
      incident.workload.name === object.name &&
      incident.opened_us >= started_us - CLOCKS_DIFFER_US,
  )
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-card border bg-panel px-3 py-3">
      {found ? (
        <>
          <Siren className="size-4 text-crit" aria-hidden />
          <p role="status" className="min-w-0 flex-1 font-semibold break-words">
            {incidentName(found.incident.id)} is open: {found.incident.title}
          </p>
          <PageLink
            href={`/incident/?id=${found.incident.id}`}
            className="inline-flex h-8 items-center gap-1.5 rounded-md bg-accent px-3 font-semibold text-accent-fg hover:bg-accent-hover max-sm:h-11"
          >
            Open the incident room <ArrowRight className="size-4" aria-hidden />
          </PageLink>
        </>
      ) : (
        <>
          <LoaderCircle className="size-4 animate-spin text-fg-3" aria-hidden />
          <p className="min-w-0 flex-1 break-words">
            {title}. Waiting for the first signal of it.
          </p>
          <Clock sinceUs={started_us} className="mono text-fg-2" />
        </>
      )}
    </div>
  )
}
