'use client'

import { useQuery } from '@tanstack/react-query'
import { Loaded } from '@/components/ui/States'
import { clusterQuery, statusQuery } from '@/lib/api/queries'
import { ActiveIncidents } from './ActiveIncidents'
import { HealthMap, HealthMapSkeleton } from './HealthMap'
import { Kpis, KpisSkeleton } from './Kpis'
import { RecentChanges } from './RecentChanges'
import { ResolvedLately } from './ResolvedLately'

export function ClusterPage() {
  const cluster = useQuery(clusterQuery())
  const { data: status } = useQuery(statusQuery())
  return (
    <>
      <h1 className="sr-only">Cluster {status?.cluster}</h1>
      {!cluster.error && (
        <div className="mb-3">{cluster.data ? <Kpis cluster={cluster.data} /> : <KpisSkeleton />}</div>
      )}
      <div className="grid gap-3 xl:grid-cols-[minmax(0,1fr)_21rem]">
        <div className="contents xl:flex xl:flex-col xl:gap-3">
          <div className="order-2 xl:order-none">
            <Loaded query={cluster} what="the cluster" skeleton={<HealthMapSkeleton />}>
              {(data) => <HealthMap cluster={data} />}
            </Loaded>
          </div>
          <div className="order-4 xl:order-none">
            <RecentChanges />
          </div>
        </div>
        <div className="contents xl:flex xl:flex-col xl:gap-3">
          <div className="order-1 xl:order-none">
            <ActiveIncidents />
          </div>
          <div className="order-3 xl:order-none">
            <ResolvedLately />
          </div>
        </div>
      </div>
    </>
  )
}
