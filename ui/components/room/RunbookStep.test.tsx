import { render, screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import { RunbookStep } from './RunbookStep'

test('code is code, and another runbook is a link to it', () => {
  render(<RunbookStep text="Ready? See *network-policy*, else `kubectl get pods`." />)

  expect(screen.getByRole('link', { name: 'network-policy' }).getAttribute('href')).toContain('slug=network-policy')
  expect(screen.getByText('kubectl get pods').tagName).toBe('CODE')
})

test('an asterisk of a command stays one', () => {
  render(<RunbookStep text="`ls *a*` and 2 * 3 * 4" />)

  expect(screen.queryByRole('link')).toBeNull()
  expect(document.body.textContent).toBe('ls *a* and 2 * 3 * 4')
})
