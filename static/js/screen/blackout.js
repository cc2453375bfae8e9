// Runs before anything is drawn: a screen that the crew made black is black from its first frame on.

try {
  if (localStorage.getItem("diorama.black")) document.documentElement.dataset.blanked = "";
} catch {
  // No storage: the server says so before the first figurine.
}
