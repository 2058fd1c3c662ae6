'use client'

import Link from 'next/link'
import { type ComponentProps, useState } from 'react'

/** A link to a page of ours, fetched ahead once the pointer or the focus is on it and not before. */
export function PageLink(props: ComponentProps<typeof Link>) {
  const [isNear, setNear] = useState(false)
  const onNear = () => setNear(true)
  return <Link {...props} prefetch={isNear ? null : false} onMouseEnter={onNear} onFocus={onNear} />
}
