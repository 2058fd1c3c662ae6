'use client'

import dynamic from 'next/dynamic'
import { useRouter } from 'next/navigation'
import { type ReactNode, useEffect, useState } from 'react'
import { Toasts } from '@/components/ui/Toasts'
import { onKeyDown, useActions } from '@/lib/actions'
import { readTheme, readZone, setTheme, setZone } from '@/lib/preferences'
import { BottomNav } from './BottomNav'
import { CHAOS, PAGES, SETTINGS } from './nav'
import { Sidebar } from './Sidebar'
import { TopBar } from './TopBar'
import { useHasChaos } from './useHasChaos'

const CommandMenu = dynamic(() => import('./CommandMenu').then((it) => it.CommandMenu), {
  ssr: false,
})
const Shortcuts = dynamic(() => import('./Shortcuts').then((it) => it.Shortcuts), { ssr: false })

type Overlay = 'none' | 'commands' | 'shortcuts'

/** What stands around every page: where one is, where one can go, and the keys. */
export function Shell({ children }: { children: ReactNode }) {
  const [overlay, setOverlay] = useState<Overlay>('none')
  const close = () => setOverlay('none')
  useShellActions(setOverlay)
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const isMenu = event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey)
      if (!isMenu) return onKeyDown(event)
      event.preventDefault()
      setOverlay((now) => (now === 'commands' ? 'none' : 'commands'))
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [])
  return (
    <>
      <a
        href="#main"
        className="fixed top-2 left-2 z-50 -translate-y-20 rounded-md bg-accent px-3 py-2 font-semibold text-accent-fg focus:translate-y-0"
      >
        Skip to content
      </a>
      <div className="flex min-h-dvh">
        <Sidebar />
        <div className="min-w-0 flex-1">
          <TopBar onSearch={() => setOverlay('commands')} />
          <main id="main" tabIndex={-1} className="mx-auto max-w-[100rem] p-3 pb-24 outline-none md:p-4 md:pb-8">
            {children}
          </main>
        </div>
      </div>
      <BottomNav />
      {overlay === 'commands' && <CommandMenu onClose={close} />}
      {overlay === 'shortcuts' && <Shortcuts onClose={close} />}
      <Toasts />
    </>
  )
}

function useShellActions(show: (overlay: Overlay) => void): void {
  const router = useRouter()
  const pages = [...PAGES, ...(useHasChaos() ? [CHAOS] : []), SETTINGS]
  useActions([
    ...pages.map((page) => ({
      id: page.href,
      title: page.title,
      group: 'Go to' as const,
      keys: page.keys,
      run: () => router.push(page.href),
    })),
    {
      id: 'search',
      title: 'Write a search',
      group: 'Go to',
      keys: '/',
      run: () => router.push('/search/'),
    },
    {
      id: 'theme',
      title: 'Change the theme: dark or light',
      group: 'View',
      keys: 't',
      run: () => setTheme(readTheme() === 'light' ? 'dark' : 'light'),
    },
    {
      id: 'zone',
      title: 'Show times in UTC or local time',
      group: 'View',
      keys: 'z',
      run: () => setZone(readZone() === 'utc' ? 'local' : 'utc'),
    },
    {
      id: 'shortcuts',
      title: 'List the keyboard shortcuts',
      group: 'View',
      keys: '?',
      run: () => show('shortcuts'),
    },
  ])
}
