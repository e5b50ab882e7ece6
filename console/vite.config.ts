/* How the console is built: plain static files under dist/, nothing inline, so that the server can
 * answer with "default-src 'self'". */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2020',
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        manualChunks: { vendor: ['react', 'react-dom', 'react-router-dom', '@tanstack/react-query', 'i18next', 'react-i18next'] },
      },
    },
  },
});
