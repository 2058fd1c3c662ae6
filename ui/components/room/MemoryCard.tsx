'use client'

import { useQuery } from '@tanstack/react-query'
import dynamic from 'next/dynamic'
import { Card } from '@/components/ui/Card'
import { Empty, Loaded } from '@/components/ui/States'
import { memoryQuery } from '@/lib/api/queries'
import type { Incident } from '@/lib/api/types'
import { useShownTheme } from '@/lib/preferences'

const Skeleton = () => <div className="skeleton m-3 h-52" />
const MemoryPlot = dynamic(() => import('./MemoryPlot').then((it) => it.MemoryPlot), {
  ssr: false,
  loading: Skeleton,
})

const OPEN_MS = 5000

export function MemoryCard({ incident }: { incident: Incident }) {
  const refetchInterval = incident.status === 'resolved' ? 60_000 : OPEN_MS
  const theme = useShownTheme()
  const query = useQuery({ ...memoryQuery(incident.id), refetchInterval })
  return (
    <Card title={`Memory · ${incident.workload.name}`} aside="working set" className="order-4 lg:order-none">
      <Loaded query={query} what="the memory chart" skeleton={<Skeleton />}>
        {(chart) =>
          chart.lines.length === 0 ? (
            <Empty title="No memory figures">{chart.gap || 'None were received for this workload.'}</Empty>
          ) : (
            // The canvas takes its colours from the theme when it is drawn.
            <MemoryPlot key={theme} chart={chart} />
          )
        }
      </Loaded>
    </Card>
  )
}
