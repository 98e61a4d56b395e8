//! The composition root: controllers, leader election, the status writer, metrics and the embedded control plane.
