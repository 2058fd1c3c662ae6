import type { Metadata } from 'next'
import { ChaosPage } from '@/components/chaos/ChaosPage'
import { PageHead } from '@/components/shell/PageHead'

export const metadata: Metadata = { title: 'Chaos mode' }

export default function Page() {
  return (
    <>
      <PageHead title="Chaos mode" />
      <ChaosPage />
    </>
  )
}
