import type { Metadata } from 'next'
import { Suspense } from 'react'
import { RunbooksPage } from '@/components/runbooks/RunbooksPage'
import { PageHead } from '@/components/shell/PageHead'
import { RowSkeletons } from '@/components/ui/States'

export const metadata: Metadata = { title: 'Runbooks' }

export default function Page() {
  return (
    <>
      <PageHead title="Runbooks" />
      <Suspense fallback={<RowSkeletons rows={8} />}>
        <RunbooksPage />
      </Suspense>
    </>
  )
}
