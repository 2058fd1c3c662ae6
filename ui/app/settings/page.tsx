import type { Metadata } from 'next'
import { SettingsPage } from '@/components/settings/SettingsPage'
import { PageHead } from '@/components/shell/PageHead'

export const metadata: Metadata = { title: 'Settings' }

export default function Page() {
  return (
    <>
      <PageHead title="Settings" />
      <SettingsPage />
    </>
  )
}
