import '@fontsource-variable/inter'
import '@fontsource-variable/jetbrains-mono'
import './globals.css'
import type { Metadata, Viewport } from 'next'
import type { ReactNode } from 'react'
import { Providers } from '@/components/shell/Providers'
import { Shell } from '@/components/shell/Shell'
import { THEME_BOOT } from '@/lib/themeBoot'

export const metadata: Metadata = {
  title: { default: 'Incident Co-Pilot', template: '%s · Incident Co-Pilot' },
  description: 'What is broken in the cluster, why, and the fix it has already accepted.',
  robots: { index: false },
}

export const viewport: Viewport = {
  width: 'device-width',
  initialScale: 1,
  themeColor: [
    { media: '(prefers-color-scheme: dark)', color: '#0b0c0f' },
    { media: '(prefers-color-scheme: light)', color: '#fafafb' },
  ],
}

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        {/* oxlint-disable-next-line react/no-danger -- a constant of ours; it must run before the first paint */}
        <script dangerouslySetInnerHTML={{ __html: THEME_BOOT }} />
      </head>
      <body>
        <Providers>
          <Shell>{children}</Shell>
        </Providers>
      </body>
    </html>
  )
}
