import type { Metadata } from 'next'
import { Suspense } from 'react'
import { IncidentsPage } from '@/components/incidents/IncidentsPage'
import { PageHead } from '@/components/shell/PageHead'
import { RowSkeletons } from '@/components/ui/States'

export const metadata: Metadata = { title: 'Incidents' }

export default function Page() {
  return (
    <>
      <PageHead title="Incidents" />
      <Suspense fallback={<RowSkeletons rows={8} />}>
        <IncidentsPage />
      </Suspense>
    </>
  )
}
