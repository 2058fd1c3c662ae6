import { render, screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import { Markdown } from './Markdown'

test('a runbook is shown as elements, and its raw HTML as text', () => {
  render(<Markdown text={'## Look\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![y](https://a.example/p.png)'} />)

  expect(screen.getByRole('heading', { name: 'Look' })).toBeTruthy()
  expect(document.querySelector('script, img')).toBeNull()
  expect(screen.getByText('x').getAttribute('href')).toBe('')
  expect(document.body.textContent).toContain('<script>alert(1)</script>')
})
