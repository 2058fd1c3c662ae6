import type { NextConfig } from 'next'
import { PHASE_DEVELOPMENT_SERVER } from 'next/constants.js'

/** Where `next dev` finds the API; an export has no server and needs none. */
const API = 'http://127.0.0.1:3000'

export default function config(phase: string): NextConfig {
  const shared: NextConfig = {
    trailingSlash: true,
    reactStrictMode: true,
    experimental: { optimizePackageImports: ['radix-ui'] },
  }
  if (phase !== PHASE_DEVELOPMENT_SERVER) return { ...shared, output: 'export' }
  return {
    ...shared,
    skipTrailingSlashRedirect: true,
    rewrites: async () => [
      { source: '/api/:path*', destination: `${API}/api/:path*` },
      { source: '/ws', destination: `${API}/ws` },
    ],
  }
}
