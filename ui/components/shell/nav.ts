import {
  BookOpen,
  Boxes,
  Flame,
  type LucideIcon,
  Search,
  Settings,
  ShieldCheck,
  Siren,
} from 'lucide-react'

export interface Page {
  href: string
  title: string
  icon: LucideIcon
  keys: string
}

/** Every page that can be gone to; the side bar, the command menu and the keys read it. */
export const PAGES: Page[] = [
  { href: '/', title: 'Cluster', icon: Boxes, keys: 'g c' },
  { href: '/incidents/', title: 'Incidents', icon: Siren, keys: 'g i' },
  { href: '/search/', title: 'Search', icon: Search, keys: 'g s' },
  { href: '/runbooks/', title: 'Runbooks', icon: BookOpen, keys: 'g b' },
  { href: '/audit/', title: 'Audit', icon: ShieldCheck, keys: 'g a' },
]
export const CHAOS: Page = { href: '/chaos/', title: 'Chaos mode', icon: Flame, keys: 'g x' }
export const SETTINGS: Page = { href: '/settings/', title: 'Settings', icon: Settings, keys: 'g t' }

/** An incident's room belongs to the list of incidents. */
export function isCurrent(page: Page, pathname: string): boolean {
  const here = pathname.endsWith('/') ? pathname : `${pathname}/`
  return here === page.href || (page.href === '/incidents/' && here === '/incident/')
}
