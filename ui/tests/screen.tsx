import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render } from '@testing-library/react'
import { AppRouterContext } from 'next/dist/shared/lib/app-router-context.shared-runtime'
import type { ReactNode } from 'react'

const router = {
  push: () => {},
  replace: () => {},
  refresh: () => {},
  back: () => {},
  forward: () => {},
  prefetch: () => {},
  bfcacheId: 'test',
}

/** Shows a view with a cache of its own, without retries and polling. */
export function show(view: ReactNode) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  return render(
    <AppRouterContext value={router}>
      <QueryClientProvider client={client}>{view}</QueryClientProvider>
    </AppRouterContext>,
  )
}
