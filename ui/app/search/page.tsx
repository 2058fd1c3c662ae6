import type { Metadata } from 'next'
import { Suspense } from 'react'
import { SearchPage } from '@/components/search/SearchPage'
import { PageHead } from '@/components/shell/PageHead'

export const metadata: Metadata = { title: 'Search' }

export default function Page() {
  return (
    <>
      <PageHead title="Search" />
      <Suspense fallback={<div className="skeleton h-11" />}>
        <SearchPage />
      </Suspense>
    </>
  )
}
