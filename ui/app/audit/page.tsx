import type { Metadata } from 'next'
import { Suspense } from 'react'
import { AuditPage } from '@/components/audit/AuditPage'
import { PageHead } from '@/components/shell/PageHead'
import { RowSkeletons } from '@/components/ui/States'

export const metadata: Metadata = { title: 'Audit' }

export default function Page() {
  return (
    <>
      <PageHead title="Audit" />
      <Suspense fallback={<RowSkeletons rows={10} />}>
        <AuditPage />
      </Suspense>
    </>
  )
}
